// SPDX-License-Identifier: MIT

//! Unbalanced tree search: the trees T1 and T3. The rules are those of uts/tree.c.

use crate::trees::sum_of;
use crate::Work;

pub struct Uts {
    tree: Tree,
    nodes: i64,
}

#[derive(Clone, Copy)]
struct Tree {
    binomial: bool,
    n: i64,
}

struct Node {
    state: [u8; 20],
    height: i64,
}

/// SHA-1 of a message that fits into one block.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut block = [0u8; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[60..].copy_from_slice(&(message.len() as u32 * 8).to_be_bytes());
    let mut w = [0u32; 80];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for i in 16..80 {
        w[i] = (w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1);
    }
    let start = [
        0x67452301u32,
        0xefcdab89,
        0x98badcfe,
        0x10325476,
        0xc3d2e1f0,
    ];
    let [mut a, mut b, mut c, mut d, mut e] = start;
    for (i, word) in w.iter().enumerate() {
        let (mixed, constant) = match i / 20 {
            0 => (d ^ (b & (c ^ d)), 0x5a827999),
            1 => (b ^ c ^ d, 0x6ed9eba1),
            2 => ((b & c) | (d & (b | c)), 0x8f1bbcdc),
            _ => (b ^ c ^ d, 0xca62c1d6u32),
        };
        let next = a
            .rotate_left(5)
            .wrapping_add(mixed)
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    let mut digest = [0u8; 20];
    for ((bytes, first), last) in digest.chunks_exact_mut(4).zip(start).zip([a, b, c, d, e]) {
        bytes.copy_from_slice(&first.wrapping_add(last).to_be_bytes());
    }
    digest
}

impl Node {
    fn root(tree: &Tree) -> Node {
        let mut seed = [0u8; 20];
        seed[16..].copy_from_slice(&(if tree.binomial { 42u32 } else { 19 }).to_be_bytes());
        Node {
            state: sha1(&seed),
            height: 0,
        }
    }

    fn child(&self, number: usize) -> Node {
        let mut message = [0u8; 24];
        message[..20].copy_from_slice(&self.state);
        message[20..].copy_from_slice(&(number as u32).to_be_bytes());
        Node {
            state: sha1(&message),
            height: self.height + 1,
        }
    }

    fn chance(&self) -> f64 {
        let end = &self.state[16..];
        let bits = u32::from_be_bytes([end[0], end[1], end[2], end[3]]) & 0x7fffffff;
        bits as f64 / 2147483648.0
    }

    fn children(&self, tree: &Tree) -> i64 {
        if tree.binomial {
            return match self.height {
                0 => tree.n,
                _ if self.chance() < 0.124875 => 8,
                _ => 0,
            };
        }
        if self.height >= tree.n {
            return 0;
        }
        let stop: f64 = 1.0 / 5.0;
        (((1.0 - self.chance()).ln() / (1.0 - stop).ln()).floor() as i64).min(100)
    }

    fn count(&self, tree: &Tree) -> i64 {
        let children = self.children(tree);
        if children == 0 {
            return 1;
        }
        1 + sum_of(0, children as usize, &|i| self.child(i).count(tree))
    }
}

impl Uts {
    pub fn geometric(n: i64) -> Self {
        Uts {
            tree: Tree { binomial: false, n },
            nodes: 0,
        }
    }

    pub fn binomial(n: i64) -> Self {
        Uts {
            tree: Tree { binomial: true, n },
            nodes: 0,
        }
    }
}

impl Work for Uts {
    fn round(&mut self) {
        self.nodes = Node::root(&self.tree).count(&self.tree);
    }
    fn checksum(&self) -> u64 {
        self.nodes as u64
    }
}
