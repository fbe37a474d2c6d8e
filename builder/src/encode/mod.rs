//! Content codings of final bytes: brotli 11, gzip, zstd; each kept only where it is worth a file.
//!
//! Knows neither names nor releases. The same bytes give the same encoded bytes on any machine: every encoder runs on
//! one thread, with fixed settings; files are spread over threads instead.

mod brotli;
mod gzip;
mod zstd;

mod compressed;

use std::collections::BTreeMap;

use rayon::ThreadPool;
use rimward_edge::release::manifest::Coding;

use crate::cache::{Cache, Key};
use crate::threads::work_on;

pub use compressed::is_compressed;

/// Changes whenever the same bytes may be encoded otherwise.
const VERSION: &str = "encode 1, brotli 9.1.1 q11 w24, libdeflater 1.26.1 l12, zstd 0.14.3 l19";

/// The encoded forms of one file that are worth keeping.
pub type Encodings = BTreeMap<Coding, Vec<u8>>;

/// Encodes the bytes of one file in each of `codings` (`[build] encodings`).
pub fn encode(bytes: &[u8], codings: &[Coding]) -> Encodings {
    if is_compressed(bytes) {
        return Encodings::new();
    }
    let kept =
        |&coding: &Coding| Some((coding, encode_as(coding, bytes).filter(|encoded| worth_a_file(bytes, encoded))?));
    codings.iter().filter_map(kept).collect()
}

/// Encodes many files, in their order. Each coding of each file is a piece of work of its own, and an entry of the cache.
pub fn encode_all<B: AsRef<[u8]> + Sync>(
    files: &[B],
    codings: &[Coding],
    cache: &Cache,
    pool: &ThreadPool,
) -> Vec<Encodings> {
    let jobs: Vec<(usize, Coding)> = (files.iter().enumerate())
        .filter(|(_, bytes)| !is_compressed(bytes.as_ref()))
        .flat_map(|(index, _)| codings.iter().map(move |&coding| (index, coding)))
        .collect();
    let weight = |&(index, coding): &(usize, Coding)| files[index].as_ref().len().saturating_mul(effort(coding));
    let encoded = work_on(pool, &jobs, weight, |&(index, coding)| cached(files[index].as_ref(), coding, cache));
    let mut all: Vec<Encodings> = files.iter().map(|_| Encodings::new()).collect();
    for ((index, coding), encoded) in jobs.into_iter().zip(encoded) {
        all[index].extend(encoded.map(|encoded| (coding, encoded)));
    }
    all
}

/// An entry of the cache is the encoded bytes; it is empty where they are not worth a file.
fn cached(bytes: &[u8], coding: Coding, cache: &Cache) -> Option<Vec<u8>> {
    let key = Key::new("encode", VERSION).with(coding.token().as_bytes()).with(bytes);
    let make = || encode_as(coding, bytes).filter(|encoded| worth_a_file(bytes, encoded)).unwrap_or_default();
    Some(cache.remember(&key, make)).filter(|encoded| !encoded.is_empty())
}

/// `None` where the encoder fails, which none does on bytes in memory.
fn encode_as(coding: Coding, bytes: &[u8]) -> Option<Vec<u8>> {
    match coding {
        Coding::Br => brotli::encode(bytes),
        Coding::Gzip => gzip::encode(bytes),
        Coding::Zstd => zstd::encode(bytes),
    }
}

/// Below 2 % a second file and its place in every cache cost more than they save; at least 20 bytes, which is what the
/// two header fields of an encoded answer take.
fn worth_a_file(bytes: &[u8], encoded: &[u8]) -> bool {
    let saved = bytes.len().saturating_sub(encoded.len());
    saved >= 20 && saved.saturating_mul(50) >= bytes.len()
}

/// Relative time per byte (measured on JavaScript), to begin with what takes longest.
fn effort(coding: Coding) -> usize {
    match coding {
        Coding::Br => 20,
        Coding::Zstd => 6,
        Coding::Gzip => 2,
    }
}

#[cfg(test)]
mod tests;
