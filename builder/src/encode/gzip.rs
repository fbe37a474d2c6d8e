//! RFC 1952, with the exhaustive search of libdeflate; the header has no time and no name.

use libdeflater::{CompressionLvl, Compressor};

/// The smallest form.
pub(super) fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut encoded = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut encoded).ok()?;
    encoded.truncate(length);
    encoded.shrink_to_fit();
    Some(encoded)
}
