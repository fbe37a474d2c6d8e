//! What is encoded, that others can decode it, and that it is the same in every build.

use std::io::Read;

use super::*;
use crate::threads::pool;

const ALL: [Coding; 3] = [Coding::Br, Coding::Gzip, Coding::Zstd];

/// Text that compresses about as well as code does.
fn text(length: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let words = ["function", "return", "const ", "a.b", "=>", "(e)", "{", "}", ";", "this.", "0x1f", "\"üx\""];
    let mut text = Vec::new();
    while text.len() < length {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        text.extend_from_slice(words[(state >> 16) as usize % words.len()].as_bytes());
    }
    text
}

/// Bytes that no coding makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match coding {
        Coding::Br => drop(::brotli::Decompressor::new(bytes, 4096).read_to_end(&mut decoded).expect("brotli")),
        Coding::Zstd => decoded = ::zstd::stream::decode_all(bytes).expect("zstd"),
        Coding::Gzip => {
            let length = u32::from_le_bytes(*bytes.last_chunk().expect("a trailer"));
            decoded.resize(length as usize, 0);
            libdeflater::Decompressor::new().gzip_decompress(bytes, &mut decoded).expect("gzip");
        }
    }
    decoded
}

#[test]
fn what_is_encoded_can_be_decoded() {
    for length in [1_000, 5_000, 300_000] {
        let bytes = text(length);
        let encodings = encode(&bytes, &ALL);
        assert_eq!(encodings.keys().copied().collect::<Vec<_>>(), [Coding::Br, Coding::Zstd, Coding::Gzip]);
        for (coding, encoded) in encodings {
            assert!(encoded.len() < length * 3 / 5, "{coding:?}: {} of {length}", encoded.len());
            assert_eq!(decode(coding, &encoded), bytes, "{coding:?}");
        }
    }
}

#[test]
fn only_what_is_asked_for_is_made() {
    let bytes = text(1_000);
    assert!(encode(&bytes, &[]).is_empty());
    assert_eq!(encode(&bytes, &[Coding::Gzip]).into_keys().collect::<Vec<_>>(), [Coding::Gzip]);
}

#[test]
fn an_encoding_that_saves_little_is_not_kept() {
    for bytes in [&b""[..], b"a", b"let a = 1;", &noise(10_000)] {
        assert!(encode(bytes, &ALL).is_empty(), "{} bytes", bytes.len());
    }
    let saves = |before, after| worth_a_file(&vec![0; before], &vec![0; after]);
    assert!(saves(1_000, 980) && !saves(1_000, 981), "2 %");
    assert!(saves(100, 80) && !saves(100, 81), "20 bytes");
    assert!(!saves(100, 120));
}

#[test]
fn what_is_compressed_already_is_left_alone() {
    for head in [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"\xff\xd8\xff\xe0",
        b"RIFF\0\0\0\0WEBP",
        b"\0\0\0\x20ftypavif",
        b"wOF2",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"\0\0\0\x20ftypmp42",
        b"GIF89a",
    ] {
        let mut bytes = head.to_vec();
        bytes.resize(10_000, b' ');
        assert!(encode(&bytes, &ALL).is_empty(), "{head:?}");
    }
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    wasm.resize(10_000, 1);
    assert_eq!(encode(&wasm, &ALL).len(), 3, "WebAssembly is not compressed");
}

#[test]
fn many_files_keep_their_order_on_any_number_of_threads() {
    let files: Vec<Vec<u8>> = vec![text(500), noise(500), text(20_000), b"wOF2".to_vec(), Vec::new(), text(3_000)];
    let expected: Vec<Encodings> = files.iter().map(|file| encode(file, &ALL)).collect();
    for jobs in [1, 2, 5] {
        let encoded = encode_all(&files, &ALL, &Cache::none(), &pool(jobs).expect("threads"));
        assert!(encoded == expected, "{jobs} threads");
    }
}

#[test]
fn a_second_build_encodes_what_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || Cache::open(folder.path(), std::time::SystemTime::UNIX_EPOCH);
    let pool = pool(2).expect("threads");
    let mut files = vec![text(2_000), noise(2_000), text(4_000)];
    let first = open();
    let encoded = encode_all(&files, &[Coding::Br, Coding::Gzip], &first, &pool);
    assert_eq!((first.counts().found, first.counts().made), (0, 6));
    let second = open();
    assert!(encode_all(&files, &[Coding::Br, Coding::Gzip], &second, &pool) == encoded);
    assert_eq!((second.counts().found, second.counts().made), (6, 0));
    files[0].push(b'\n');
    let third = open();
    encode_all(&files, &[Coding::Br, Coding::Gzip], &third, &pool);
    assert_eq!((third.counts().found, third.counts().made), (4, 2), "one file, two codings");
}

#[test]
fn the_header_of_gzip_has_neither_time_nor_name() {
    let encoded = encode(&text(1_000), &[Coding::Gzip]).remove(&Coding::Gzip).expect("gzip");
    assert_eq!(encoded[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
}
