//! A network's weights as a text that fits into a link: rounded to a few bits each, with the accuracy that is left.
//!
//! The weights of one output (a convolution's filter, a column of a dense layer) share a scale, which is a float, as biases and everything else with
//! one dimension are. A weight is a whole number of `bits` bits times its scale. All are packed one after another, with a checksum at the end, and
//! written in base64 for addresses (RFC 4648, section 5).

use std::iter;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use thiserror::Error;

use crate::{message, network::Network, parameters::Parameter};

/// Longest text. Messengers and browsers take addresses of 64 KB.
pub const MAX_TEXT: usize = 60_000;
/// Bits of a weight, from the best on.
const BITS: [u32; 5] = [8, 7, 6, 5, 4];
/// What a text begins with.
const VERSION: &str = "1";

/// The rounded weights of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// The weights, one after another in the order of [`Network::parameters`].
    pub weights: Vec<f32>,
    /// Bits of a weight.
    pub bits: u32,
    /// Scales, whole numbers and checksum.
    bytes: Vec<u8>,
}

/// Why weights do not become a text, or a text no weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    /// There are too many.
    #[error("{}", TOO_LARGE)]
    TooLarge,
    /// It is cut off, or changed.
    #[error("{}", DAMAGED)]
    Damaged,
    /// It is of a network with other layers.
    #[error("{}", OTHER)]
    OtherNetwork,
}

const TOO_LARGE: &str = message!(
    "This network has too many weights for a link. Train one with at most about 80,000 parameters, or save the run as a file."
);
const DAMAGED: &str = message!("The network in this link is damaged: the link may have been cut off. Copy it again.");
const OTHER: &str = message!("The network in this link has other layers than the link says. Copy it again.");

/// Rounds `weights` to as many bits as a link has room for.
///
/// # Errors
/// [`ShareError::TooLarge`].
pub fn round(network: &Network, weights: &[f32]) -> Result<Rounded, ShareError> {
    let bits = BITS.into_iter().find(|&bits| text_len(network, bits) <= MAX_TEXT).ok_or(ShareError::TooLarge)?;
    Ok(round_to(network, weights, bits))
}

fn round_to(network: &Network, weights: &[f32], bits: u32) -> Rounded {
    let largest = limit(bits);
    let mut writer = Writer::default();
    let mut rounded = Vec::with_capacity(weights.len());
    let mut rest = weights;
    for parameter in network.parameters() {
        let (values, others) = rest.split_at(parameter.len().min(rest.len()));
        rest = others;
        let groups = Groups::of(parameter);
        if groups.count == 0 {
            values.iter().for_each(|value| writer.float(*value));
            rounded.extend(values);
            continue;
        }
        let mut scales = vec![0.0f32; groups.count];
        for (at, value) in values.iter().enumerate() {
            let scale = &mut scales[groups.group(at)];
            *scale = scale.max(value.abs() / largest as f32);
        }
        scales.iter().for_each(|scale| writer.float(*scale));
        for (at, value) in values.iter().enumerate() {
            let scale = scales[groups.group(at)];
            let whole = if scale > 0.0 { (value / scale).round() as i32 } else { 0 };
            let whole = whole.clamp(-largest, largest);
            writer.bits((whole + largest) as u32, bits);
            rounded.push(whole as f32 * scale);
        }
    }
    Rounded { weights: rounded, bits, bytes: writer.finish() }
}

impl Rounded {
    /// The text, with the share of the test images that the network still classifies correctly.
    pub fn text(&self, accuracy: f64) -> String {
        let share = (accuracy.clamp(0.0, 1.0) * 10_000.0).round();
        format!("{VERSION}.{}.{share}.{}", self.bits, BASE64_URL_SAFE_NO_PAD.encode(&self.bytes))
    }
}

/// The weights in a `text` of `network`, and the share of the test images that they classify correctly.
///
/// # Errors
/// [`ShareError::Damaged`] or [`ShareError::OtherNetwork`].
pub fn read(network: &Network, text: &str) -> Result<(Vec<f32>, f64), ShareError> {
    let parts: Vec<&str> = text.trim().splitn(4, '.').collect();
    let [VERSION, bits, share, packed] = parts[..] else { return Err(ShareError::Damaged) };
    let bits = bits.parse().ok().filter(|bits| BITS.contains(bits)).ok_or(ShareError::Damaged)?;
    let share: u32 = share.parse().ok().filter(|share| *share <= 10_000).ok_or(ShareError::Damaged)?;
    if packed.len() > MAX_TEXT {
        return Err(ShareError::Damaged);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(packed).map_err(|_| ShareError::Damaged)?;
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(ShareError::Damaged)?;
    if checksum_of(content) != u32::from_le_bytes(*checksum) {
        return Err(ShareError::Damaged);
    }
    if bytes.len() != bytes_len(network, bits) {
        return Err(ShareError::OtherNetwork);
    }
    let largest = limit(bits);
    let mut reader = Reader { bytes: content, at: 0 };
    let mut weights = Vec::with_capacity(network.count());
    for parameter in network.parameters() {
        let groups = Groups::of(parameter);
        if groups.count == 0 {
            weights.extend(iter::repeat_with(|| reader.float()).take(parameter.len()));
            continue;
        }
        let scales: Vec<f32> = iter::repeat_with(|| reader.float()).take(groups.count).collect();
        for at in 0..parameter.len() {
            weights.push((reader.bits(bits) as i32 - largest) as f32 * scales[groups.group(at)]);
        }
    }
    if !weights.iter().all(|weight| weight.is_finite()) {
        return Err(ShareError::Damaged);
    }
    Ok((weights, f64::from(share) / 10_000.0))
}

/// The largest rounded weight with this many bits.
fn limit(bits: u32) -> i32 {
    (1 << (bits - 1)) - 1
}

/// The weights of a parameter that share a scale.
struct Groups {
    /// Number of scales; 0 if its values are written as they are.
    count: usize,
    /// Values of a group, if they lie one after another.
    run: Option<usize>,
}

impl Groups {
    fn of(parameter: &Parameter) -> Self {
        match parameter.shape[..] {
            [outputs, ..] if parameter.shape.len() == 4 => {
                Groups { count: outputs, run: Some(parameter.len() / outputs.max(1)) }
            }
            [_, outputs] => Groups { count: outputs, run: None },
            _ => Groups { count: 0, run: None },
        }
    }

    fn group(&self, at: usize) -> usize {
        match self.run {
            Some(run) => at / run.max(1),
            None => at % self.count,
        }
    }
}

/// Bytes of the packed weights, with their checksum.
fn bytes_len(network: &Network, bits: u32) -> usize {
    let (mut floats, mut whole) = (0, 0);
    for parameter in network.parameters() {
        match Groups::of(parameter).count {
            0 => floats += parameter.len(),
            count => (floats, whole) = (floats + count, whole + parameter.len()),
        }
    }
    (32 * floats + bits as usize * whole).div_ceil(8) + 4
}

/// Length of the text: at most six digits come before the bytes, with three dots.
fn text_len(network: &Network, bits: u32) -> usize {
    9 + (bytes_len(network, bits) * 4).div_ceil(3)
}

/// FNV-1a (Fowler, Noll, Vo): notices what is cut off or mistyped.
fn checksum_of(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Bits one after another, the lowest of each byte first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    used: usize,
}

impl Writer {
    fn bits(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }

    fn float(&mut self, value: f32) {
        self.bits(value.to_bits(), 32);
    }

    fn finish(mut self) -> Vec<u8> {
        let checksum = checksum_of(&self.bytes);
        self.bytes.extend(checksum.to_le_bytes());
        self.bytes
    }
}

/// Reads what a [`Writer`] wrote; zeros after its end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, bit| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or_default();
            let found = u32::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            value | found << bit
        })
    }

    fn float(&mut self) -> f32 {
        f32::from_bits(self.bits(32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::DataShape, parameters::random_weights, settings::Settings};
    use proptest::prelude::*;

    fn network(layers: &str) -> Network {
        let net = layers.parse().unwrap();
        Settings { net, ..Settings::default() }.network(DataShape::DIGITS).unwrap()
    }

    fn weights(network: &Network) -> Vec<f32> {
        random_weights(network.parameters(), 3)
    }

    #[test]
    fn a_network_comes_back_with_weights_within_half_a_step_of_its_own() {
        for (layers, bits) in [
            ("dense 32", 8),
            ("conv 8, pool, conv 16 none, batchnorm relu, pool, dense 32", 8),
            ("dense 64", 6),
            ("dense 96", 4),
        ] {
            let network = network(layers);
            let weights = weights(&network);
            let rounded = round(&network, &weights).unwrap();
            assert_eq!(rounded.bits, bits, "{layers}");
            let text = rounded.text(0.98765);
            assert!(
                text.len() <= MAX_TEXT
                    && text.bytes().all(|byte| b"._-".contains(&byte) || byte.is_ascii_alphanumeric())
            );
            let (read, accuracy) = read(&network, &text).unwrap();
            assert_eq!((&read, accuracy), (&rounded.weights, 0.9877));
            let step = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs())) / limit(bits) as f32;
            assert!(weights.iter().zip(&read).all(|(a, b)| (a - b).abs() <= 0.5001 * step), "{layers}");
            assert!(weights.iter().zip(&read).any(|(a, b)| a != b));
        }
    }

    #[test]
    fn a_network_that_is_too_large_is_refused() {
        let network = Network::default();
        assert_eq!(round(&network, &weights(&network)), Err(ShareError::TooLarge));
    }

    #[test]
    fn a_text_that_was_cut_off_or_changed_is_refused() {
        let dense = network("dense 8");
        let text = round(&dense, &weights(&dense)).unwrap().text(0.5);
        for end in 0..text.len() {
            assert_eq!(read(&dense, &text[..end]), Err(ShareError::Damaged), "{end}");
        }
        for at in (0..text.len()).step_by(7) {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'B' { b'C' } else { b'B' };
            assert!(read(&dense, std::str::from_utf8(&changed).unwrap()).is_err(), "{at}");
        }
        assert_eq!(read(&network("dense 9"), &text), Err(ShareError::OtherNetwork));
    }

    #[test]
    fn a_scale_that_is_no_number_is_refused() {
        let network = network("dense 8");
        let mut weights = weights(&network);
        weights[3] = f32::INFINITY;
        let text = round(&network, &weights).unwrap().text(0.5);
        assert_eq!(read(&network, &text), Err(ShareError::Damaged));
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_are_the_weights_are_numbers_or_refused(seed in any::<[u8; 16]>(), bits in 4u32..=8) {
            let network = network("pool, pool, dense 2");
            let len = bytes_len(&network, bits) - 4;
            let mut bytes: Vec<u8> = seed.into_iter().cycle().take(len).enumerate().map(|(at, byte)| byte.wrapping_add(at as u8)).collect();
            bytes.extend(checksum_of(&bytes).to_le_bytes());
            let text = format!("1.{bits}.5000.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes));
            match read(&network, &text) {
                Ok((weights, _)) => prop_assert!(weights.len() == network.count() && weights.iter().all(|weight| weight.is_finite())),
                Err(error) => prop_assert_eq!(error, ShareError::Damaged),
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.A-Za-z_-]{0,80}") {
            let _ = read(&network("dense 8"), &text);
        }
    }
}
