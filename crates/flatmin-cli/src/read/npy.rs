//! NumPy's `.npy` format: a magic number, a header that is a Python dict literal, the raw elements.
//!
//! Reference: NumPy Enhancement Proposal 1 and `numpy.lib.format` (versions 1.0, 2.0 and 3.0).
//! Memory grows with the bytes that arrive, never with the shape that a header claims.

use super::Array;
use std::io::{self, Read};

/// Headers beyond this length are refused; those of plain arrays take a hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Bytes decoded at a time: a multiple of every element size.
const CHUNK: usize = 1 << 16;

/// What can be wrong with a `.npy` stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not start as the format does.
    #[error("not a NumPy .npy file: write it with numpy.save")]
    Magic,
    /// A format version from the future.
    #[error(".npy version {major}.{minor} is not known: write it with numpy.save, version 1.0")]
    Version {
        /// Major number.
        major: u8,
        /// Minor number.
        minor: u8,
    },
    /// It ends within the header.
    #[error("the file ends within its .npy header: it is truncated, write it again")]
    TruncatedHeader,
    /// The header is not the dict that it should be.
    #[error("the .npy header `{text}` is not understood: write the file with numpy.save")]
    Header {
        /// Beginning of the header.
        text: String,
    },
    /// Elements that are not real numbers.
    #[error(
        "elements of dtype {descr} are not supported: save booleans, integers, float32 or float64, \
         for example with .astype('float64')"
    )]
    Dtype {
        /// The dtype in NumPy's words.
        descr: String,
    },
    /// A shape with more elements than an address space.
    #[error("the header claims the impossible shape {shape}: the file is damaged")]
    Huge {
        /// The shape.
        shape: String,
    },
    /// Fewer elements than the header promises.
    #[error(
        "the header promises shape {shape} of {descr}, {expected} bytes, but only {got} follow: \
         the file is truncated, write it again"
    )]
    Truncated {
        /// The shape.
        shape: String,
        /// The dtype in NumPy's words.
        descr: String,
        /// Bytes promised.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
    /// More bytes than the header promises.
    #[error(
        "bytes follow after the array of shape {shape} that the header promises: \
         the file is damaged or holds several arrays, write one array a file"
    )]
    Trailing {
        /// The shape.
        shape: String,
    },
}

/// Reads one array, up to the end of the stream.
///
/// ```
/// let mut bytes = b"\x93NUMPY\x01\x00\x40\x00".to_vec();
/// let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (1, 2), }";
/// bytes.extend(format!("{header:<63}\n").bytes());
/// bytes.extend([0, 7, 255, 255]);
/// let array = flatmin_cli::read::npy::read(&bytes[..])?;
/// assert_eq!((array.shape, array.values), (vec![1, 2], vec![7.0, -1.0]));
/// # Ok::<(), flatmin_cli::read::npy::Fault>(())
/// ```
///
/// # Errors
/// Every way in which the stream is not one whole array of real numbers.
pub fn read(mut stream: impl Read) -> Result<Array, Fault> {
    let text = header_text(&mut stream)?;
    let clipped = || Fault::Header { text: text.trim().chars().take(80).collect() };
    let header = Header::parse(&text).ok_or_else(clipped)?;
    let Descr::Scalar(descr) = header.descr else {
        return Err(Fault::Dtype { descr: "with named fields".into() });
    };
    let unsupported = || Fault::Dtype { descr: format!("'{}'", printable(descr)) };
    let (width, decode) = decoder(descr).ok_or_else(unsupported)?;
    let shape = || super::tuple(&header.shape);
    let expected = (header.shape.iter().try_fold(width, |n, &d| n.checked_mul(d)))
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or_else(|| Fault::Huge { shape: shape() })?;

    let mut values = Vec::new();
    let mut chunk = vec![0; CHUNK.min(expected)];
    let mut got = 0;
    while got < expected {
        let wanted = CHUNK.min(expected - got);
        let filled = fill(&mut stream, &mut chunk[..wanted])?;
        got += filled;
        if filled < wanted {
            let descr = printable(descr);
            return Err(Fault::Truncated { shape: shape(), descr, expected, got });
        }
        decode(&chunk[..wanted], &mut values);
    }
    if fill(&mut stream, &mut [0])? != 0 {
        return Err(Fault::Trailing { shape: shape() });
    }
    if header.fortran_order {
        values = c_order(&header.shape, &values);
    }
    Ok(Array { shape: header.shape, values })
}

/// Lengths of the dimensions that the header claims; the elements are not read.
///
/// # Errors
/// When the stream does not begin as an array of one dtype does.
pub fn shape(mut stream: impl Read) -> Result<Vec<usize>, Fault> {
    let text = header_text(&mut stream)?;
    match Header::parse(&text) {
        Some(Header { descr: Descr::Scalar(_), shape, .. }) => Ok(shape),
        Some(_) => Err(Fault::Dtype { descr: "with named fields".into() }),
        None => Err(Fault::Header { text: text.trim().chars().take(80).collect() }),
    }
}

fn printable(text: &str) -> String {
    text.chars().take(20).flat_map(char::escape_default).collect()
}

/// Reads until the buffer is full or the stream ends; the number of bytes read.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn header_text(stream: &mut impl Read) -> Result<String, Fault> {
    let mut start = [0; 8];
    let filled = fill(stream, &mut start)?;
    let magic = b"\x93NUMPY";
    if start[..filled.min(6)] != magic[..filled.min(6)] || filled == 0 {
        return Err(Fault::Magic);
    }
    if filled < start.len() {
        return Err(Fault::TruncatedHeader);
    }
    let [.., major, minor] = start;
    let width = match major {
        1 => 2,
        2 | 3 => 4,
        _ => return Err(Fault::Version { major, minor }),
    };
    let mut length = [0; 4];
    if fill(stream, &mut length[..width])? < width {
        return Err(Fault::TruncatedHeader);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Err(Fault::Header { text: format!("of {length} bytes") });
    }
    let mut text = vec![0; length];
    if fill(stream, &mut text)? < length {
        return Err(Fault::TruncatedHeader);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

enum Descr<'a> {
    Scalar(&'a str),
    Record,
}

struct Header<'a> {
    descr: Descr<'a>,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
    fn parse(text: &'a str) -> Option<Header<'a>> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut literal = Literal(text);
        literal.token("{")?;
        while literal.token("}").is_none() {
            let key = literal.string()?;
            literal.token(":")?;
            match key {
                "descr" if literal.0.trim_start().starts_with('[') => {
                    // The fields of a record may nest; nothing after them matters.
                    return Some(Header {
                        descr: Descr::Record,
                        fortran_order: false,
                        shape: Vec::new(),
                    });
                }
                "descr" => descr = Some(Descr::Scalar(literal.string()?)),
                "fortran_order" => fortran_order = Some(literal.boolean()?),
                "shape" => shape = Some(literal.tuple()?),
                _ => return None,
            }
            if literal.token(",").is_none() {
                literal.token("}")?;
                break;
            }
        }
        if !literal.0.trim().is_empty() {
            return None;
        }
        Some(Header { descr: descr?, fortran_order: fortran_order?, shape: shape? })
    }
}

/// What is left to read of a Python literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn token(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.token("True").is_some() { Some(true) } else { self.token("False").map(|()| false) }
    }

    fn string(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = rest[1..].split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    fn tuple(&mut self) -> Option<Vec<usize>> {
        self.token("(")?;
        let mut items = Vec::new();
        while self.token(")").is_none() {
            let rest = self.0.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            items.push(rest[..end].parse().ok()?);
            // Python 2 wrote its long integers as 3L.
            self.0 = rest[end..].strip_prefix('L').unwrap_or(&rest[end..]);
            if self.token(",").is_none() {
                self.token(")")?;
                break;
            }
        }
        Some(items)
    }
}

/// Appends the numbers that a run of whole elements encodes.
type Decode = fn(&[u8], &mut Vec<f64>);

macro_rules! element {
    ($number:ty, $from_bytes:ident) => {{
        const WIDTH: usize = size_of::<$number>();
        let decode: Decode = |bytes, values| {
            let (elements, _) = bytes.as_chunks::<WIDTH>();
            values.extend(elements.iter().map(|raw| <$number>::$from_bytes(*raw) as f64));
        };
        Some((WIDTH, decode))
    }};
}

/// Width in bytes and decoder of a NumPy dtype; `None` for what is not a real number.
fn decoder(descr: &str) -> Option<(usize, Decode)> {
    match descr {
        "|b1" => Some((1, |bytes, values| {
            values.extend(bytes.iter().map(|&b| if b == 0 { 0.0 } else { 1.0 }));
        })),
        "|i1" | "<i1" | ">i1" => element!(i8, from_le_bytes),
        "|u1" | "<u1" | ">u1" => element!(u8, from_le_bytes),
        "<i2" => element!(i16, from_le_bytes),
        ">i2" => element!(i16, from_be_bytes),
        "<u2" => element!(u16, from_le_bytes),
        ">u2" => element!(u16, from_be_bytes),
        "<i4" => element!(i32, from_le_bytes),
        ">i4" => element!(i32, from_be_bytes),
        "<u4" => element!(u32, from_le_bytes),
        ">u4" => element!(u32, from_be_bytes),
        "<i8" => element!(i64, from_le_bytes),
        ">i8" => element!(i64, from_be_bytes),
        "<u8" => element!(u64, from_le_bytes),
        ">u8" => element!(u64, from_be_bytes),
        "<f4" => element!(f32, from_le_bytes),
        ">f4" => element!(f32, from_be_bytes),
        "<f8" => element!(f64, from_le_bytes),
        ">f8" => element!(f64, from_be_bytes),
        _ => None,
    }
}

/// Elements stored first index fastest, reordered to last index fastest.
fn c_order(shape: &[usize], fortran: &[f64]) -> Vec<f64> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, &d| {
            let this = *stride;
            *stride *= d;
            Some(this)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    let mut values = Vec::with_capacity(fortran.len());
    for _ in 0..fortran.len() {
        values.push(fortran[offset]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    values
}

#[cfg(test)]
mod tests;
