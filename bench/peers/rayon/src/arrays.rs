// SPDX-License-Identifier: MIT

//! Matrices, sorting, and many small tasks. Contents and checksums are those of the C programs.

use crate::Work;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU8, Ordering};

const BLOCK: usize = 64;

pub struct Matmul {
    n: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
}

fn filled(n: usize, mut seed: u32) -> Vec<f64> {
    let mut next = || {
        seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        (seed >> 24) as f64
    };
    (0..n * n).map(|_| next()).collect()
}

impl Matmul {
    pub fn new(n: i64) -> Self {
        let n = n as usize;
        Matmul {
            n,
            a: filled(n, 1),
            b: filled(n, 2),
            c: vec![0.0; n * n],
        }
    }
}

/// c += a * b, all of `size` by `size` in matrices whose rows are `stride` apart.
#[derive(Clone, Copy)]
struct Product {
    c: *mut f64,
    a: *const f64,
    b: *const f64,
    size: usize,
    stride: usize,
}

// Products that run at the same time write to different quarters.
unsafe impl Send for Product {}
unsafe impl Sync for Product {}

impl Product {
    fn quarter(&self, row: usize, column: usize, half: usize) -> Product {
        let size = self.size / 2;
        let down = size * self.stride;
        unsafe {
            Product {
                c: self.c.add(row * down + column * size),
                a: self.a.add(row * down + half * size),
                b: self.b.add(half * down + column * size),
                size,
                stride: self.stride,
            }
        }
    }

    fn block(&self) {
        for i in 0..self.size {
            for k in 0..self.size {
                unsafe {
                    let factor = *self.a.add(i * self.stride + k);
                    let row =
                        std::slice::from_raw_parts_mut(self.c.add(i * self.stride), self.size);
                    let other = std::slice::from_raw_parts(self.b.add(k * self.stride), self.size);
                    for (sum, value) in row.iter_mut().zip(other) {
                        *sum += factor * value;
                    }
                }
            }
        }
    }

    fn multiply(&self) {
        if self.size <= BLOCK {
            return self.block();
        }
        for half in 0..2 {
            let quarter = |row, column| self.quarter(row, column, half).multiply();
            rayon::join(
                || rayon::join(|| quarter(0, 0), || quarter(0, 1)),
                || rayon::join(|| quarter(1, 0), || quarter(1, 1)),
            );
        }
    }
}

impl Work for Matmul {
    fn prepare(&mut self) {
        self.c.fill(0.0);
    }
    fn round(&mut self) {
        let (c, a, b) = (self.c.as_mut_ptr(), self.a.as_ptr(), self.b.as_ptr());
        Product {
            c,
            a,
            b,
            size: self.n,
            stride: self.n,
        }
        .multiply();
    }
    fn checksum(&self) -> u64 {
        self.c.iter().fold(0u64, |sum, &value| {
            sum.wrapping_mul(31).wrapping_add(value as u64)
        })
    }
}

const CUTOFF: usize = 2048;
const INSERTION: usize = 24;

pub struct Sort {
    numbers: Vec<u32>,
    room: Vec<u32>,
}

impl Sort {
    pub fn new(n: i64) -> Self {
        Sort {
            numbers: vec![0; n as usize],
            room: vec![0; n as usize],
        }
    }
}

fn insertion_sort(numbers: &mut [u32]) {
    for i in 1..numbers.len() {
        let number = numbers[i];
        let mut place = i;
        while place > 0 && numbers[place - 1] > number {
            numbers[place] = numbers[place - 1];
            place -= 1;
        }
        numbers[place] = number;
    }
}

fn merge(numbers: &mut [u32], room: &mut [u32]) {
    let middle = numbers.len() / 2;
    room[..middle].copy_from_slice(&numbers[..middle]);
    let (mut left, mut right, mut out) = (0, middle, 0);
    while left < middle && right < numbers.len() {
        let take_left = room[left] <= numbers[right];
        numbers[out] = if take_left {
            room[left]
        } else {
            numbers[right]
        };
        left += take_left as usize;
        right += !take_left as usize;
        out += 1;
    }
    let rest = middle - left;
    numbers[out..out + rest].copy_from_slice(&room[left..middle]);
}

fn sort(numbers: &mut [u32], room: &mut [u32]) {
    let count = numbers.len();
    if count <= INSERTION {
        return insertion_sort(numbers);
    }
    {
        let (left, right) = numbers.split_at_mut(count / 2);
        let (left_room, right_room) = room.split_at_mut(count / 2);
        if count <= CUTOFF {
            sort(left, left_room);
            sort(right, right_room);
        } else {
            rayon::join(|| sort(left, left_room), || sort(right, right_room));
        }
    }
    merge(numbers, room);
}

impl Work for Sort {
    fn prepare(&mut self) {
        let mut seed = 88172645463325252u64;
        for number in self.numbers.iter_mut() {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *number = seed as u32;
        }
    }
    fn round(&mut self) {
        sort(&mut self.numbers, &mut self.room);
    }
    fn checksum(&self) -> u64 {
        self.numbers.iter().fold(0u64, |sum, &number| {
            sum.wrapping_mul(31).wrapping_add(number as u64)
        })
    }
}

pub struct Flat {
    cells: Vec<AtomicU8>,
    by_loop: bool,
}

impl Flat {
    pub fn new(n: i64, by_loop: bool) -> Self {
        Flat {
            cells: (0..n).map(|_| AtomicU8::new(0)).collect(),
            by_loop,
        }
    }
}

fn touch(cell: &AtomicU8) {
    cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Work for Flat {
    fn prepare(&mut self) {
        self.cells
            .iter()
            .for_each(|cell| cell.store(0, Ordering::Relaxed));
    }
    fn round(&mut self) {
        if self.by_loop {
            self.cells.par_iter().with_max_len(1).for_each(touch);
        } else {
            rayon::scope(|scope| {
                self.cells
                    .iter()
                    .for_each(|cell| scope.spawn(move |_| touch(cell)))
            });
        }
    }
    fn checksum(&self) -> u64 {
        self.cells
            .iter()
            .filter(|cell| cell.load(Ordering::Relaxed) == 1)
            .count() as u64
    }
}
