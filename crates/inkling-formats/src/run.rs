//! Run files, as the page writes and reads them (`www/files.js`): gzipped JSON with byte arrays as `{"base64": "..."}`.

use std::io::{self, Read, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use inkling_core::{
    restore::{Damage, Restore},
    summary::SavedRun,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value as Json, ser::Formatter};
use thiserror::Error;

/// The page opens no larger file, packed or unpacked.
pub const MAX_SIZE: u64 = 64 << 20;
/// An object whose only key this is stands for bytes.
const BYTES: &str = "base64";

/// Why a file can't be used as a run.
#[derive(Debug, Error)]
pub enum RunError {
    /// It can't be unpacked.
    #[error("it is not gzipped text, or it is cut short ({0})")]
    Packed(io::Error),
    /// It unpacks to more than [`MAX_SIZE`].
    #[error("it unpacks to more than {} MiB", MAX_SIZE >> 20)]
    TooLarge,
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is the JSON of something else.
    #[error("it is not the file of a run: {0}")]
    Shape(String),
    /// A run can't have these values.
    #[error("{0}")]
    Damaged(#[from] Damage),
}

/// Whether these may be the contents of a run file: they are gzipped.
pub fn is_packed(file: &[u8]) -> bool {
    file.starts_with(&[0x1f, 0x8b])
}

/// The run in a file, checked.
///
/// # Errors
/// [`RunError`]
pub fn read(file: &[u8]) -> Result<SavedRun, RunError> {
    let mut text = String::new();
    GzDecoder::new(file).take(MAX_SIZE + 1).read_to_string(&mut text).map_err(RunError::Packed)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(RunError::TooLarge);
    }
    let json: Json = serde_json::from_str(&text)?;
    if let Some(version) = json.get("version").and_then(Json::as_u64) {
        SavedRun::check_version(u32::try_from(version).unwrap_or(u32::MAX))?;
    }
    let run = SavedRun::deserialize(WithBytes(json)).map_err(|error| RunError::Shape(error.to_string()))?;
    run.check()?;
    Ok(run)
}

/// The file of a run. It is checked first: a file that can't be read must not take the place of one that can.
///
/// # Errors
/// [`RunError::Damaged`] if no run could have these values.
pub fn file(run: &SavedRun) -> Result<Vec<u8>, RunError> {
    run.check()?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    run.serialize(&mut serde_json::Serializer::with_formatter(&mut encoder, Base64))?;
    encoder.finish().map_err(RunError::Packed)
}

/// Bytes as base64 instead of lists of numbers.
struct Base64;

impl Formatter for Base64 {
    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        write!(writer, "{{\"{BYTES}\":\"{}\"}}", BASE64_STANDARD.encode(value))
    }
}

/// A value with bytes where it has base64.
struct WithBytes(Json);

impl<'de> IntoDeserializer<'de, serde_json::Error> for WithBytes {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of an object, or its bytes.
fn bytes_or_entries(object: Map<String, Json>) -> Result<Vec<u8>, impl Iterator<Item = (String, WithBytes)>> {
    let text = object.get(BYTES).filter(|_| object.len() == 1).and_then(Json::as_str);
    let bytes = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.ok_or_else(|| object.into_iter().map(|(key, value)| (key, WithBytes(value))))
}

impl<'de> Deserializer<'de> for WithBytes {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Json::Object(object) => match bytes_or_entries(object) {
                Ok(bytes) => visitor.visit_byte_buf(bytes),
                Err(entries) => visitor.visit_map(MapDeserializer::new(entries)),
            },
            Json::Array(list) => visitor.visit_seq(SeqDeserializer::new(list.into_iter().map(WithBytes))),
            single => single.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Json::Object(object) => match bytes_or_entries(object) {
                Ok(bytes) => Err(Error::invalid_type(Unexpected::Bytes(&bytes), &"a variant")),
                Err(entries) => visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(entries))),
            },
            single => single.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_are_written_as_the_page_reads_them() {
        let mut text = Vec::new();
        let bytes = serde_bytes::Bytes::new(&[0, 255, 7]);
        bytes.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Base64)).unwrap();
        assert_eq!(text, br#"{"base64":"AP8H"}"#);
        let read = |json: &[u8]| serde_bytes::ByteBuf::deserialize(WithBytes(serde_json::from_slice(json).unwrap()));
        assert_eq!(read(&text).unwrap().into_vec(), [0, 255, 7]);
        assert!(read(br#"{"base64":"AP8H","more":1}"#).is_err(), "an object with more keys is an object");
        assert!(read(br#"{"base64":"A"}"#).is_err(), "this is not base64");
    }

    #[test]
    fn values_of_every_kind_are_read() {
        #[derive(Debug, PartialEq, Deserialize)]
        enum Kind {
            Unit,
            Newtype(f64),
            Struct { bytes: serde_bytes::ByteBuf },
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Wrapped(Vec<Option<Kind>>);
        let json = br#"[null, "Unit", {"Newtype": 0}, {"Struct": {"bytes": {"base64": "AP8H"}}}]"#;
        let read = Wrapped::deserialize(WithBytes(serde_json::from_slice(json).unwrap())).unwrap();
        let bytes = serde_bytes::ByteBuf::from(vec![0, 255, 7]);
        let expected = [None, Some(Kind::Unit), Some(Kind::Newtype(0.0)), Some(Kind::Struct { bytes })];
        assert_eq!(read, Wrapped(expected.into()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |file: &[u8]| read(file).unwrap_err().to_string();
        let good = packed(br#"{"version":3}"#);
        assert!(error(b"hello").contains("not gzipped text"));
        assert!(error(&good[..good.len() / 2]).contains("cut short"));
        assert!(error(&packed(b"[1,")).contains("not JSON"));
        assert!(error(&packed(b"[1]")).contains("not the file of a run"));
        assert!(error(&good).contains("settings"), "{}", error(&good));
        assert!(error(&packed(br#"{"version":99}"#)).contains("another version of Inkling wrote it"));
        // A few kilobytes that unpack to more than the page would read.
        assert!(error(&packed(&vec![b' '; MAX_SIZE as usize + 1])).contains("unpacks to more than 64 MiB"));
    }

    proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(text in ".{0,100}", raw: Vec<u8>) {
            prop_assert!(read(&packed(text.as_bytes())).is_err());
            prop_assert!(read(&raw).is_err());
        }
    }
}
