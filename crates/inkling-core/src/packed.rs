//! Lists of numbers as bytes: a record that the browser keeps is then small and quick to copy. Earlier versions wrote lists,
//! which are read as well.

use std::fmt;

use serde::{
    Deserializer, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// `Vec<f32>`, four bytes each, little-endian.
pub mod singles {
    use super::*;

    /// Writes the numbers as bytes.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        serializer.serialize_bytes(&bytes)
    }

    /// Reads bytes, or a list of numbers.
    ///
    /// # Errors
    /// Those of the deserializer, or an impossible number of bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let numbers = deserializer.deserialize_any(Packed::<4>)?;
        Ok(match numbers {
            Numbers::Bytes(bytes) => bytes.into_iter().map(f32::from_le_bytes).collect(),
            Numbers::List(list) => list.into_iter().map(|value| value as f32).collect(),
        })
    }
}

/// `Vec<(f64, f64)>`, sixteen bytes each, little-endian.
pub mod points {
    use super::*;

    /// Writes the points as bytes.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(points: &[(f64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = points.iter().flat_map(|&(x, y)| [x, y]).flat_map(f64::to_le_bytes).collect();
        serializer.serialize_bytes(&bytes)
    }

    /// Reads bytes, or a list of pairs.
    ///
    /// # Errors
    /// Those of the deserializer, or an impossible number of bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(f64, f64)>, D::Error> {
        struct Points;
        impl<'de> Visitor<'de> for Points {
            type Value = Vec<(f64, f64)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("points as bytes or as pairs of numbers")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let values: Vec<f64> = whole::<8, E>(bytes)?.into_iter().map(f64::from_le_bytes).collect();
                match values.as_chunks() {
                    (pairs, []) => Ok(pairs.iter().map(|&[x, y]| (x, y)).collect()),
                    _ => Err(E::invalid_length(bytes.len(), &self)),
                }
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                self.visit_bytes(&bytes)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut points = Vec::new();
                while let Some(point) = list.next_element()? {
                    points.push(point);
                }
                Ok(points)
            }
        }
        deserializer.deserialize_any(Points)
    }
}

/// Numbers of `N` bytes, in either form.
enum Numbers<const N: usize> {
    Bytes(Vec<[u8; N]>),
    List(Vec<f64>),
}

struct Packed<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Packed<N> {
    type Value = Numbers<N>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers as bytes or as a list")
    }
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        whole(bytes).map(Numbers::Bytes)
    }
    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        whole(&bytes).map(Numbers::Bytes)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Numbers::List(values))
    }
}

/// All of `bytes` in groups of `N`.
fn whole<const N: usize, E: Error>(bytes: &[u8]) -> Result<Vec<[u8; N]>, E> {
    match bytes.as_chunks() {
        (groups, []) => Ok(groups.to_vec()),
        _ => Err(E::invalid_length(bytes.len(), &"a whole number of values")),
    }
}
