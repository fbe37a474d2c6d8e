//! Tells by their first bytes which files are compressed already.

/// Signatures: where they stand, and what they are.
const SIGNATURES: [(usize, &[u8]); 28] = [
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"), // JPEG
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (4, b"ftypavif"),
    (4, b"ftypavis"),
    (4, b"ftypheic"),
    (4, b"ftypmif1"),
    (4, b"ftypisom"),
    (4, b"ftypmp4"),
    (4, b"ftypM4"),
    (4, b"ftypiso"),
    (4, b"ftypqt"),
    (0, b"\xff\x0a"), // JPEG XL, bare
    (0, b"\0\0\0\x0cJXL "),
    (0, b"wOFF"),
    (0, b"wOF2"),
    (0, b"PK\x03\x04"),       // ZIP and what is built on it
    (0, b"\x1f\x8b"),         // gzip
    (0, b"\x28\xb5\x2f\xfd"), // zstd
    (4, b"1AY&SY"),           // bzip2
    (0, b"\xfd7zXZ\0"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"\x1a\x45\xdf\xa3"), // Matroska, WebM
    (0, b"OggS\0"),
    (0, b"ID3\x03"), // MP3
    (0, b"ID3\x04"),
];

/// Whether the bytes are in a format that compresses them itself: no coding would gain what is worth a file.
pub fn is_compressed(bytes: &[u8]) -> bool {
    SIGNATURES.iter().any(|&(at, signature)| bytes.get(at..).is_some_and(|rest| rest.starts_with(signature)))
}
