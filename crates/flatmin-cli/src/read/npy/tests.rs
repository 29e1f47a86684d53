//! The reader against an independent implementation, and against damaged files.

use super::*;
use npyz::WriterBuilder;

fn file(header: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(body);
    bytes
}

/// An array written by an independent implementation of the format.
fn foreign<T: npyz::Serialize + npyz::AutoSerialize>(
    dtype: Option<&str>,
    order: npyz::Order,
    shape: &[u64],
    values: impl IntoIterator<Item = T>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let dtype = dtype.map_or_else(T::default_dtype, |d| npyz::DType::Plain(d.parse().unwrap()));
    let mut writer = npyz::WriteOptions::new()
        .dtype(dtype)
        .order(order)
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn every_real_dtype_is_read() {
    use npyz::Order::C;
    let shape = [3];
    let cases = [
        foreign(None, C, &shape, [1u8, 0, 100]),
        foreign(None, C, &shape, [1i8, 0, 100]),
        foreign(Some("<u2"), C, &shape, [1u16, 0, 100]),
        foreign(Some(">u2"), C, &shape, [1u16, 0, 100]),
        foreign(Some("<i2"), C, &shape, [1i16, 0, 100]),
        foreign(Some(">i2"), C, &shape, [1i16, 0, 100]),
        foreign(Some("<u4"), C, &shape, [1u32, 0, 100]),
        foreign(Some(">u4"), C, &shape, [1u32, 0, 100]),
        foreign(Some("<i4"), C, &shape, [1i32, 0, 100]),
        foreign(Some(">i4"), C, &shape, [1i32, 0, 100]),
        foreign(Some("<u8"), C, &shape, [1u64, 0, 100]),
        foreign(Some(">u8"), C, &shape, [1u64, 0, 100]),
        foreign(Some("<i8"), C, &shape, [1i64, 0, 100]),
        foreign(Some(">i8"), C, &shape, [1i64, 0, 100]),
        foreign(Some("<f4"), C, &shape, [1f32, 0.0, 100.0]),
        foreign(Some(">f4"), C, &shape, [1f32, 0.0, 100.0]),
        foreign(Some("<f8"), C, &shape, [1f64, 0.0, 100.0]),
        foreign(Some(">f8"), C, &shape, [1f64, 0.0, 100.0]),
    ];
    for bytes in cases {
        let array = read(&bytes[..]).unwrap();
        assert_eq!((array.shape, array.values), (vec![3], vec![1.0, 0.0, 100.0]));
    }
    let flags = foreign(None, C, &shape, [true, false, true]);
    assert_eq!(read(&flags[..]).unwrap().values, [1.0, 0.0, 1.0]);
    let signed = foreign(Some(">i8"), C, &[1], [-5i64]);
    assert_eq!(read(&signed[..]).unwrap().values, [-5.0]);
}

#[test]
fn both_orders_give_the_same_array() {
    // Element (i, j, k) of a 2 x 3 x 4 array is 100 i + 10 j + k.
    let value = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as f64;
    let c = (0..24).map(|n| value(n / 12, n / 4 % 3, n % 4));
    let f = (0..24).map(|n| value(n % 2, n / 2 % 3, n / 6));
    let c = read(&foreign(None, npyz::Order::C, &[2, 3, 4], c)[..]).unwrap();
    let f = read(&foreign(None, npyz::Order::Fortran, &[2, 3, 4], f)[..]).unwrap();
    assert_eq!(c.values[12 + 2 * 4 + 3], 123.0);
    assert_eq!((c.shape, c.values), (f.shape, f.values));
}

#[test]
fn arrays_longer_than_a_chunk_and_without_dimension() {
    let long: Vec<f64> = (0..20_000).map(|i| i as f64 + 0.5).collect();
    let array = read(&foreign(None, npyz::Order::C, &[20_000], long.clone())[..]).unwrap();
    assert_eq!(array.values, long);
    let scalar = read(&foreign(None, npyz::Order::C, &[], [2.5])[..]).unwrap();
    assert_eq!((scalar.shape, scalar.values), (vec![], vec![2.5]));
}

#[test]
fn headers_in_any_order_and_from_python_2() {
    let header = "{\"shape\":(2L,),'fortran_order':False,'descr':'|u1'}\n";
    assert_eq!(read(&file(header, &[3, 4])[..]).unwrap().values, [3.0, 4.0]);
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let whole = foreign(None, npyz::Order::C, &[2, 2], [1.0, 2.0, 3.0, 4.0]);
    for end in 0..whole.len() {
        let fault = read(&whole[..end]).unwrap_err();
        match end {
            0 => assert!(matches!(fault, Fault::Magic)),
            1..128 => assert!(matches!(fault, Fault::TruncatedHeader), "{end}: {fault}"),
            _ => assert!(matches!(fault, Fault::Truncated { expected: 32, .. }), "{end}"),
        }
    }
    let longer = [whole, vec![0]].concat();
    assert!(matches!(read(&longer[..]), Err(Fault::Trailing { .. })));
}

#[test]
fn claims_are_not_believed() {
    let claim = |shape: &str| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        read(&file(&header, &[0; 16])[..]).unwrap_err()
    };
    assert!(matches!(claim("(1000000000000, 1000)"), Fault::Truncated { got: 16, .. }));
    assert!(matches!(claim("(4294967296, 4294967296)"), Fault::Huge { .. }));
    assert!(matches!(claim("(18446744073709551616,)"), Fault::Header { .. }));
    assert!(matches!(claim("(-1,)"), Fault::Header { .. }));
    assert!(matches!(claim("(2"), Fault::Header { .. }));
    assert!(matches!(claim("2"), Fault::Header { .. }));
    let deep = file(&"[".repeat(60_000), &[]);
    assert!(matches!(read(&deep[..]), Err(Fault::Header { .. })));
}

#[test]
fn other_elements_are_named() {
    for descr in ["<c16", "|O", "<U3", "|S4", "<f2", "<M8[ns]"] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}");
        let fault = read(&file(&header, &[0; 16])[..]).unwrap_err();
        assert!(fault.to_string().contains(descr), "{fault}");
    }
    let record = "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }";
    assert!(matches!(read(&file(record, &[0; 8])[..]), Err(Fault::Dtype { .. })));
    let version = [&b"\x93NUMPY\x04\x00"[..], &[0; 8]].concat();
    assert!(matches!(read(&version[..]), Err(Fault::Version { major: 4, .. })));
}
