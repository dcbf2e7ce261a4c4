// SPDX-License-Identifier: MIT

//! Recursion over numbers and boards.

use crate::Work;

/// The sum of `part` over [first, last), each index a task: halves by join, down to one.
pub fn sum_of<F: Fn(usize) -> i64 + Sync>(first: usize, last: usize, part: &F) -> i64 {
    match last - first {
        0 => 0,
        1 => part(first),
        count => {
            let middle = first + count / 2;
            let (left, right) = rayon::join(
                || sum_of(first, middle, part),
                || sum_of(middle, last, part),
            );
            left + right
        }
    }
}

pub struct Fib {
    n: i64,
    result: i64,
}

impl Fib {
    pub fn new(n: i64) -> Self {
        Fib { n, result: 0 }
    }
}

fn fib(n: i64) -> i64 {
    if n < 2 {
        return n;
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

impl Work for Fib {
    fn round(&mut self) {
        self.result = fib(self.n);
    }
    fn checksum(&self) -> u64 {
        self.result as u64
    }
}

#[derive(Clone, Copy)]
struct Board {
    size: i32,
    rows: i32,
    column: [i8; 16],
}

impl Board {
    fn place(&self, column: i32) -> Option<Board> {
        for row in 0..self.rows {
            let distance = self.column[row as usize] as i32 - column;
            let rows = self.rows - row;
            if distance == 0 || distance == rows || distance == -rows {
                return None;
            }
        }
        let mut next = *self;
        next.column[next.rows as usize] = column as i8;
        next.rows += 1;
        Some(next)
    }

    fn solutions(&self) -> i64 {
        if self.rows == self.size {
            return 1;
        }
        let mut next = [*self; 16];
        let mut count = 0;
        for board in (0..self.size).filter_map(|column| self.place(column)) {
            next[count] = board;
            count += 1;
        }
        sum_of(0, count, &|i| next[i].solutions())
    }
}

pub struct Queens {
    n: i64,
    result: i64,
}

impl Queens {
    pub fn new(n: i64) -> Self {
        Queens { n, result: 0 }
    }
}

impl Work for Queens {
    fn round(&mut self) {
        let empty = Board {
            size: self.n as i32,
            rows: 0,
            column: [0; 16],
        };
        self.result = empty.solutions();
    }
    fn checksum(&self) -> u64 {
        self.result as u64
    }
}

pub struct Skynet {
    leaves: i64,
    result: i64,
}

impl Skynet {
    pub fn new(leaves: i64) -> Self {
        Skynet { leaves, result: 0 }
    }
}

fn skynet(first: i64, leaves: i64) -> i64 {
    if leaves == 1 {
        return first;
    }
    let each = leaves / 10;
    sum_of(0, 10, &|i| skynet(first + i as i64 * each, each))
}

impl Work for Skynet {
    fn round(&mut self) {
        self.result = skynet(0, self.leaves);
    }
    fn checksum(&self) -> u64 {
        self.result as u64
    }
}
