//! SHA-256, for method ids and server names.
//!
//! # Why
//! This crate depends on none, and what it hashes is short and rare. Nothing secret passes through: inputs are names of
//! methods and identities, so constant-time care is not needed. It is a `const fn`, which a compiler takes milliseconds
//! for: good for a single constant, not for each method of a crate.

const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The SHA-256 digest of `data`.
pub const fn digest(data: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(data);
    hasher.finish()
}

/// A digest of input that comes in pieces.
#[derive(Clone, Debug)]
pub struct Sha256 {
    state: [u32; 8],
    block: [u8; 64],
    /// Bytes of `block` in use, below 64.
    filled: usize,
    total: u64,
}

impl Sha256 {
    /// Starts with no input.
    #[expect(clippy::new_without_default, reason = "a const fn is the point; nobody needs Default")]
    pub const fn new() -> Self {
        Self { state: START, block: [0; 64], filled: 0, total: 0 }
    }

    /// Adds input.
    pub const fn update(&mut self, data: &[u8]) {
        let mut at = 0;
        while at < data.len() {
            self.push(data[at]);
            at += 1;
        }
        self.total = self.total.wrapping_add(data.len() as u64);
    }

    /// Ends the input and gives the digest.
    pub const fn finish(mut self) -> [u8; 32] {
        let bits = self.total.wrapping_mul(8).to_be_bytes();
        self.push(0x80);
        while self.filled != 56 {
            self.push(0);
        }
        let mut at = 0;
        while at < 8 {
            self.push(bits[at]);
            at += 1;
        }
        let mut out = [0_u8; 32];
        let mut word = 0;
        while word < 8 {
            let bytes = self.state[word].to_be_bytes();
            let mut byte = 0;
            while byte < 4 {
                out[word * 4 + byte] = bytes[byte];
                byte += 1;
            }
            word += 1;
        }
        out
    }

    const fn push(&mut self, byte: u8) {
        self.block[self.filled] = byte;
        self.filled += 1;
        if self.filled == 64 {
            self.compress();
            self.filled = 0;
        }
    }

    const fn compress(&mut self) {
        let schedule = expand(&self.block);
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = self.state;
        let mut round = 0;
        while round < 64 {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choose = (e & f) ^ (!e & g);
            let t1 = h
                .wrapping_add(s1)
                .wrapping_add(choose)
                .wrapping_add(ROUND[round])
                .wrapping_add(schedule[round]);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            let t2 = s0.wrapping_add(majority);
            h = g;
            g = f;
            f = e;
            e = d.wrapping_add(t1);
            d = c;
            c = b;
            b = a;
            a = t1.wrapping_add(t2);
            round += 1;
        }
        let next = [a, b, c, d, e, f, g, h];
        let mut word = 0;
        while word < 8 {
            self.state[word] = self.state[word].wrapping_add(next[word]);
            word += 1;
        }
    }
}

const fn expand(block: &[u8; 64]) -> [u32; 64] {
    let mut words = [0_u32; 64];
    let mut at = 0;
    while at < 16 {
        let i = at * 4;
        words[at] = u32::from_be_bytes([block[i], block[i + 1], block[i + 2], block[i + 3]]);
        at += 1;
    }
    while at < 64 {
        let (w15, w2) = (words[at - 15], words[at - 2]);
        let s0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3);
        let s1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10);
        words[at] = words[at - 16].wrapping_add(s0).wrapping_add(words[at - 7]).wrapping_add(s1);
        at += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The examples of FIPS 180-4 and their lengths around a block's end.
    #[test]
    fn digests_match_the_published_examples() {
        let cases: [(&[u8], &str); 3] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(hex(&digest(input)), expected);
        }
        assert_eq!(
            hex(&digest(&[b'a'; 1_000_000])),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let data: Vec<u8> = (0..200_u8).collect();
        for split in 0..data.len() {
            let mut hasher = Sha256::new();
            hasher.update(&data[..split]);
            hasher.update(&data[split..]);
            assert_eq!(hasher.finish(), digest(&data), "split at {split}");
        }
    }
}
