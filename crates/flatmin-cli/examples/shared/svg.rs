//! Square pictures and lines of text in columns, in an SVG file that holds its pictures, since links
//! to others would not be followed.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use std::error::Error;
use std::fmt::Write;

/// Side of a picture.
pub(crate) const SHOWN: u32 = 224;
/// Space around pictures, and above them for a line of text.
pub(crate) const GAP: u32 = 12;
pub(crate) const LINE: u32 = 22;

/// The elements of a figure.
#[derive(Default)]
pub(crate) struct Svg {
    pub(crate) body: String,
}

impl Svg {
    /// The whole file, four columns wide.
    pub(crate) fn finish(self, height: u32) -> String {
        let width = left(4);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg"
 width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text{{font:14px sans-serif}} .title{{font-size:20px}}
.frame{{fill:none;stroke:#f5a03c;stroke-width:2}}
</style>
<rect width="100%" height="100%" fill="#fff"/>
{}</svg>
"##,
            self.body
        )
    }

    /// A frame in the first column around a part of a picture that is drawn at a scale.
    pub(crate) fn frame(&mut self, corner: (u32, u32), top: u32, scale: f64) -> std::fmt::Result {
        let scaled = |v: u32| f64::from(v) * scale;
        let (x, y, side) = (scaled(corner.0), scaled(corner.1), scaled(SHOWN));
        writeln!(
            self.body,
            r#"<rect x="{:.1}" y="{:.1}" width="{side:.1}" height="{side:.1}" class="frame"/>"#,
            x + f64::from(GAP),
            y + f64::from(top),
        )
    }

    /// A line of text over a column.
    pub(crate) fn text(
        &mut self,
        column: u32,
        y: u32,
        class: &str,
        text: &str,
    ) -> std::fmt::Result {
        let x = left(column);
        writeln!(self.body, r#"<text x="{x}" y="{y}" class="{class}">{text}</text>"#)
    }

    /// A square picture of side [`SHOWN`] in a column.
    pub(crate) fn picture(
        &mut self,
        column: u32,
        top: u32,
        pixels: &[u8],
        color: ExtendedColorType,
    ) -> Result<(), Box<dyn Error>> {
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
            .write_image(pixels, SHOWN, SHOWN, color)?;
        let (x, data) = (left(column), base64(&png));
        writeln!(
            self.body,
            r#"<image x="{x}" y="{top}" width="{SHOWN}" height="{SHOWN}" href="data:image/png;base64,{data}"/>"#
        )?;
        Ok(())
    }
}

/// Where a column of the figure begins.
fn left(column: u32) -> u32 {
    GAP + column * (SHOWN + GAP)
}

/// Base64 of RFC 4648: three bytes are four digits of six bits; `=` stands for what is absent.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |k: usize| u32::from(group.get(k).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * k)) as usize & 63];
            text.push(if k > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
