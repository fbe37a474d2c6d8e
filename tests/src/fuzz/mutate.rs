//! Inputs made of other inputs: the same seed makes the same ones.

/// A generator of inputs.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

/// Longest input that is made: long enough for every format's edges, short enough for thousands of them.
const LIMIT_BYTES: usize = 4096;

/// What foreign bytes like to hold.
const MORSELS: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"%2f",
    b"%00",
    b"%",
    b"..",
    b"//",
    b"\\",
    b"\"",
    b"'",
    b"`",
    b"${",
    b"</script>",
    b"<!--",
    b"-->",
    b"/*",
    b"*/",
    b"url(",
    b"[[",
    b"{",
    b"}",
    b"(((((((((",
    b"[[[[[[[[[",
    b"{{{{{{{{{",
    b":",
    b";",
    b"=",
    b",",
    b"*",
    b"q=0",
    b"bytes=-",
    b"18446744073709551616",
    b"-1",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"import(",
    b"import.meta.url",
    b"@import ",
    b"srcset=",
    b"null",
    b"1e999",
];

impl Mutator {
    /// A generator.
    pub fn new(seed: u64) -> Mutator {
        Mutator { state: seed | 1 }
    }

    /// A number below `bound`, which is not zero (xorshift64*, Vigna 2016).
    pub fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let random = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(random).unwrap_or(usize::MAX) % bound
    }

    /// An input near one of `corpus`, which is not empty.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
        }
        input.truncate(LIMIT_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(7) {
            0 => input.truncate(at),
            1 => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at.min(end)..end);
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            3 => {
                let morsel = MORSELS[self.below(MORSELS.len())];
                input.splice(at..at, morsel.iter().copied());
            }
            4 => {
                let other = &corpus[self.below(corpus.len())];
                let start = self.below(other.len() + 1);
                let end = (start + self.below(64)).min(other.len());
                input.splice(at..at, other[start..end].iter().copied());
            }
            5 => {
                let end = (at + self.below(64)).min(input.len());
                let again = input[at.min(end)..end].to_vec();
                for _ in 0..self.below(8) {
                    input.splice(at..at, again.iter().copied());
                }
            }
            _ => {
                let bytes = [0u8; 4].map(|_| u8::try_from(self.below(256)).unwrap_or(0));
                input.splice(at..at, bytes);
            }
        }
    }
}
