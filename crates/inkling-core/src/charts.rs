//! Curves and heatmaps with plotters, generic over its drawing backend: a canvas in the page, SVG in tests.

use std::{borrow::Cow, ops::Range};

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use serde::{Deserialize, Serialize};

use crate::{metrics::ConfusionMatrix, say};

/// Colours of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Background.
    pub background: RGBColor,
    /// Text.
    pub text: RGBColor,
    /// Grid lines.
    pub grid: RGBColor,
    /// Training curves.
    pub train: RGBColor,
    /// Validation curves.
    pub validation: RGBColor,
    /// Correct answers: the diagonal of the matrix.
    pub right: RGBColor,
    /// Mistakes in the matrix.
    pub mistake: RGBColor,
}

/// Colours of other runs. Each has a contrast of at least 3 : 1 to both backgrounds.
pub const OTHERS: [RGBColor; 8] = [
    RGBColor(138, 111, 209),
    RGBColor(21, 140, 158),
    RGBColor(190, 88, 148),
    RGBColor(105, 136, 40),
    RGBColor(168, 123, 42),
    RGBColor(91, 127, 166),
    RGBColor(190, 95, 80),
    RGBColor(79, 143, 106),
];

impl Theme {
    /// Dark text on a white background. Each curve has a contrast of at least 3 : 1 to the background.
    pub const LIGHT: Theme = Theme {
        background: RGBColor(255, 255, 255),
        text: RGBColor(70, 76, 92),
        grid: RGBColor(228, 231, 238),
        train: RGBColor(180, 86, 11),
        validation: RGBColor(37, 84, 199),
        right: RGBColor(11, 110, 100),
        mistake: RGBColor(179, 32, 47),
    };
    /// Light text on a dark background, with the same minimum contrast.
    pub const DARK: Theme = Theme {
        background: RGBColor(24, 27, 36),
        text: RGBColor(186, 192, 208),
        grid: RGBColor(48, 53, 66),
        train: RGBColor(245, 166, 84),
        validation: RGBColor(122, 162, 255),
        right: RGBColor(79, 209, 192),
        mistake: RGBColor(255, 143, 153),
    };
}

/// The visitor's colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Dark text on a white background.
    Light,
    /// Light text on a dark background.
    Dark,
}

impl Scheme {
    /// The colours of the charts.
    pub fn theme(self) -> Theme {
        match self {
            Scheme::Light => Theme::LIGHT,
            Scheme::Dark => Theme::DARK,
        }
    }
}

/// A chart of one metric over the epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve<'a> {
    /// Smoothed training metric: points (completed epochs, value).
    pub train: Cow<'a, [(f64, f64)]>,
    /// Validation metric: points (completed epochs, value).
    pub validation: Vec<(f64, f64)>,
    /// Where the run resumed after its worker was lost, in completed epochs.
    pub resumed: Vec<f64>,
    /// Where settings were changed, in completed epochs.
    pub changed: Vec<f64>,
    /// Validation metric of other runs, with the index of their colour in [`OTHERS`].
    pub others: Vec<(usize, Vec<(f64, f64)>)>,
    /// Right end of the horizontal axis.
    pub epochs: f64,
    /// What is drawn; it determines the range of the vertical axis.
    pub metric: Metric,
}

/// A chart to be drawn elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Drawing {
    /// A metric over the epochs.
    Curve(Curve<'static>),
    /// A confusion matrix, and the names of the classes.
    Matrix(ConfusionMatrix, Vec<String>),
}

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// Cross-entropy: from 0 up.
    Loss,
    /// A share of images: up to 1.
    Accuracy,
}

/// The scale ends here: such a loss is far beyond any that teaches, and plotters looks for the labels of an endless scale
/// without end.
const HIGHEST_LOSS: f64 = 1e4;

impl Curve<'_> {
    /// Range of the vertical axis. It includes all values after the first tenth of the points; the start may be cut
    /// off.
    fn range(&self) -> (f64, f64) {
        if self.train.is_empty() && self.validation.is_empty() {
            return if self.metric == Metric::Loss { (0.0, 2.5) } else { (0.0, 1.0) };
        }
        let settled = &self.train[self.train.len() / 10..];
        let others = self.others.iter().flat_map(|other| &other.1[other.1.len() / 3..]);
        let values =
            settled.iter().chain(&self.validation).chain(others).map(|point| point.1).filter(|v| v.is_finite());
        match self.metric {
            Metric::Loss => (0.0, (values.fold(0.05, f64::max) * 1.08).min(HIGHEST_LOSS)),
            Metric::Accuracy => {
                let lowest = values.fold(0.99, f64::min);
                let floor = [0.98, 0.95, 0.9, 0.8, 0.5].into_iter().find(|&floor| floor <= lowest);
                (floor.unwrap_or(0.0), 1.0)
            }
        }
    }
}

/// Draws one metric. `scale` is the number of device pixels per CSS pixel.
///
/// # Errors
/// Errors of the drawing backend.
pub fn curve<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    curve: &Curve,
    theme: &Theme,
    scale: f64,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let px = |css: f64| (css * scale).round().max(1.0) as u32;
    let (low, high) = curve.range();
    let epochs = curve.epochs.max(1.0);
    let labels = (epochs as usize).clamp(2, 10) + 1;
    let digits = if high - low < 0.11 { 3 } else { 2 };
    let mut chart =
        Axes { x: 0.0..epochs, y: low..high, along: say!("epoch"), labels, digits }.draw(area, theme, scale)?;
    let lost = curve.resumed.iter().map(|&mark| (mark, theme.mistake, px(4.0)));
    let changed = curve.changed.iter().map(|&mark| (mark, theme.text, px(2.0)));
    for (mark, colour, dash) in lost.chain(changed) {
        let line = [(mark, low), (mark, high)];
        chart.draw_series(DashedLineSeries::new(line, dash, px(4.0), colour.stroke_width(px(1.5))))?;
    }
    for (colour, points) in &curve.others {
        let colour = OTHERS[colour % OTHERS.len()];
        let inside = points.iter().map(|&(x, y)| (x, y.clamp(low, high)));
        chart.draw_series(LineSeries::new(inside.clone(), colour.stroke_width(px(1.5))))?;
        chart.draw_series(inside.map(|point| Circle::new(point, px(2.5), colour.filled())))?;
    }
    // At most about one point per CSS pixel: a run may have tens of thousands of points.
    let width = f64::from(area.dim_in_pixel().0) / scale;
    let every = (curve.train.len() as f64 / width).ceil().max(1.0) as usize;
    let inside = |&(x, y): &(f64, f64)| (x, y.clamp(low, high));
    // Points above or below the range are left out: a line along the edge would suggest a value.
    let thinned = curve.train.iter().step_by(every).chain(curve.train.last()).filter(|&point| inside(point) == *point);
    let thinned = thinned.copied();
    chart.draw_series(LineSeries::new(thinned, theme.train.stroke_width(px(1.5))))?;
    let validation = || curve.validation.iter().map(inside);
    chart.draw_series(LineSeries::new(validation(), theme.validation.stroke_width(px(2.0))))?;
    chart.draw_series(validation().map(|point| Circle::new(point, px(3.5), theme.validation.filled())))?;
    area.present()
}

/// The frame of a chart.
struct Axes<'a> {
    x: Range<f64>,
    y: Range<f64>,
    /// Label of the horizontal axis.
    along: &'a str,
    /// Number of tick labels on the horizontal axis.
    labels: usize,
    /// Decimals of the tick labels on the vertical axis.
    digits: usize,
}

/// A chart with two numeric axes.
type Framed<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Axes<'_> {
    fn draw<'a, DB: DrawingBackend>(
        self,
        area: &'a DrawingArea<DB, Shift>,
        theme: &Theme,
        scale: f64,
    ) -> Result<Framed<'a, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
        area.fill(&theme.background)?;
        let px = |css: f64| (css * scale).round().max(1.0) as u32;
        let mut chart = ChartBuilder::on(area)
            .margin(px(6.0))
            .margin_right(px(14.0))
            .x_label_area_size(px(34.0))
            .y_label_area_size(px(46.0))
            .build_cartesian_2d(self.x, self.y)?;
        let font = ("sans-serif", px(12.0)).into_font().color(&theme.text);
        let digits = self.digits;
        chart
            .configure_mesh()
            .x_labels(self.labels)
            .y_labels(6)
            .max_light_lines(0)
            .bold_line_style(theme.grid.stroke_width(px(1.0)))
            .axis_style(theme.grid.stroke_width(px(1.0)))
            .label_style(font.clone())
            .x_label_formatter(&|x| format!("{}", (x * 100.0).round() / 100.0 + 0.0)) // no -0
            .y_label_formatter(&|y| format!("{y:.digits$}"))
            .x_desc(self.along)
            .axis_desc_style(font)
            .draw()?;
        Ok(chart)
    }
}

/// A line of a [`plot`].
#[derive(Clone, Debug)]
pub struct Line {
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub colour: RGBColor,
}

/// A chart of lines over any quantity; the vertical axis goes from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Plot<'a> {
    /// The lines.
    pub lines: &'a [Line],
    /// Left end of the horizontal axis.
    pub from: f64,
    /// Right end of the horizontal axis.
    pub to: f64,
    /// Label of the horizontal axis.
    pub along: &'a str,
    /// Whether to draw a dashed diagonal that marks equality.
    pub diagonal: bool,
}

/// Draws the lines and their points. `scale` is the number of device pixels per CSS pixel.
///
/// # Errors
/// Errors of the drawing backend.
pub fn plot<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    plot: &Plot,
    theme: &Theme,
    scale: f64,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let px = |css: f64| (css * scale).round().max(1.0) as u32;
    let axes = Axes { x: plot.from..plot.to, y: 0.0..1.0, along: plot.along, labels: 5, digits: 1 };
    let mut chart = axes.draw(area, theme, scale)?;
    if plot.diagonal {
        let line = [(plot.from, plot.from), (plot.to, plot.to)];
        chart.draw_series(DashedLineSeries::new(line, px(4.0), px(4.0), theme.text.stroke_width(px(1.0))))?;
    }
    for Line { points, colour } in plot.lines {
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(px(2.0))))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, px(3.0), colour.filled())))?;
    }
    area.present()
}

/// For a heatmap of this size and this many classes: the width of the margin for its labels, and the side of a cell, both in
/// pixels.
fn grid(width: u32, height: u32, classes: usize, scale: f64) -> (i32, i32) {
    let margin = (34.0 * scale) as i32;
    (margin, ((width.min(height) as i32 - margin) / classes.max(1) as i32).max(1))
}

/// True and predicted class of the cell at this point of a heatmap of this size and this many classes; `None` outside the cells.
pub fn cell_at([x, y]: [f64; 2], [width, height]: [u32; 2], classes: usize, scale: f64) -> Option<(u8, u8)> {
    let (margin, cell) = grid(width, height, classes, scale);
    let place = |at: f64| {
        let index = ((at - f64::from(margin)) / f64::from(cell)).floor();
        (0.0..classes as f64).contains(&index).then_some(index as u8)
    };
    Some((place(y)?, place(x)?))
}

/// The label of a class beside a heatmap: its name if that is short, otherwise its number.
fn mark(names: &[String], class: usize) -> String {
    let short = names.get(class).filter(|name| (1..=2).contains(&name.chars().count()));
    short.cloned().unwrap_or_else(|| class.to_string())
}

/// Draws a confusion matrix: rows true, columns predicted. The diagonal is shaded by recall and mistakes by their
/// count, so that a few mistakes stand out among thousands of images. `names` are those of the classes; without them, they have
/// numbers. `scale` is the number of device pixels per CSS pixel.
///
/// # Errors
/// Errors of the drawing backend.
pub fn heatmap<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    matrix: &ConfusionMatrix,
    names: &[String],
    theme: &Theme,
    scale: f64,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    area.fill(&theme.background)?;
    let (width, height) = area.dim_in_pixel();
    let classes = matrix.classes();
    let (margin, cell) = grid(width, height, classes, scale);
    let (left, top) = (margin, margin);
    let font = |css: f64| ("sans-serif", css * scale).into_font();
    let centred = Pos::new(HPos::Center, VPos::Center);
    let label = font(12.0).color(&theme.text).pos(centred);
    let middle = classes as i32 * cell / 2;
    area.draw(&Text::new(say!("predicted"), (left + middle, (9.0 * scale) as i32), label.clone()))?;
    area.draw(&Text::new(
        say!("true"),
        ((9.0 * scale) as i32, top + middle),
        label.transform(FontTransform::Rotate270),
    ))?;
    let most_mistakes = matrix.mistakes().first().map_or(0, |mistake| mistake.0);
    // Labels need 15 CSS pixels, counts 17: with smaller cells, not every class has a label, and no cell has a count.
    let wide = f64::from(cell) / scale;
    let every = (15.0 / wide).ceil().max(1.0) as usize;
    let number = font((f64::from(cell) / scale * 0.36).clamp(9.0, 14.0));
    let gap = if wide < 8.0 { 0 } else { px_gap(scale) };
    for (row, counts) in matrix.counts.iter().enumerate() {
        let along = top + row as i32 * cell + cell / 2;
        if row % every == 0 {
            let away = (10.0 * scale) as i32;
            area.draw(&Text::new(mark(names, row), (left - away, along), label.clone()))?;
            area.draw(&Text::new(mark(names, row), (along - top + left, top - away), label.clone()))?;
        }
        let support: u32 = counts.iter().sum();
        for (column, &count) in counts.iter().enumerate() {
            let (x, y) = (left + column as i32 * cell, top + row as i32 * cell);
            let (colour, share) = if row == column {
                (theme.right, share(count, support))
            } else {
                (theme.mistake, share(count, most_mistakes).sqrt())
            };
            let fill = if count == 0 {
                blend(theme.background, theme.grid, 0.5)
            } else {
                blend(theme.background, colour, 0.12 + 0.88 * share)
            };
            area.draw(&Rectangle::new([(x, y), (x + cell - gap, y + cell - gap)], fill.filled()))?;
            if count > 0 && wide >= 17.0 {
                let ink = readable(fill);
                area.draw(&Text::new(
                    count.to_string(),
                    (x + cell / 2, y + cell / 2),
                    number.clone().color(&ink).pos(centred),
                ))?;
            }
        }
    }
    area.present()
}

fn px_gap(scale: f64) -> i32 {
    scale.round().max(1.0) as i32
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

fn blend(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + share.clamp(0.0, 1.0) * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Dark or white text colour, whichever has more contrast to `fill` (WCAG 2.2).
fn readable(fill: RGBColor) -> RGBColor {
    const DARK: RGBColor = RGBColor(16, 18, 26);
    const WHITE: RGBColor = RGBColor(255, 255, 255);
    let (to_dark, to_white) = (luminance(fill) + 0.05, 1.05 / (luminance(fill) + 0.05));
    if to_dark / (luminance(DARK) + 0.05) > to_white { DARK } else { WHITE }
}

/// Relative luminance, 0 to 1 (WCAG 2.2).
fn luminance(colour: RGBColor) -> f64 {
    let linear = |part: u8| match f64::from(part) / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
}
