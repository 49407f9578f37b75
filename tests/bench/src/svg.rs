//! Line plots as SVG, written by hand: two logarithmic axes, a few series, no more.

use std::fmt::Write as _;

use serde::Serialize;

/// The picture, in pixels.
const SIZE: (f64, f64) = (760.0, 440.0);
/// The axes within it: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (80.0, 50.0, 740.0, 380.0);
/// Told apart by people who do not see colours as others do (Okabe and Ito), and by their dashes.
const STYLES: [(&str, &str); 4] = [
    ("#0072b2", "none"),
    ("#d55e00", "7 4"),
    ("#009e73", "2 3"),
    ("#555555", "10 3 2 3"),
];

/// A plot with logarithmic axes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plot {
    /// The name of its file, without `.svg`.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    /// What the axes are, with units.
    pub(crate) axes: (&'static str, &'static str),
    pub(crate) series: Vec<Series>,
}

/// One line of a plot.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Points above 0 in both directions.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// A line through these points.
    pub(crate) fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
        }
    }
}

/// A logarithmic axis from one 1, 2 or 5 of a decade to another, laid over pixels.
struct Axis {
    ticks: Vec<f64>,
    pixels: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high <= 0.0 {
            (low, high) = (1.0, 10.0);
        }
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let all: Vec<f64> = decades
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(decade)))
            .collect();
        let first = all
            .iter()
            .rposition(|tick| *tick <= low * 1.0001)
            .unwrap_or(0);
        let last = all
            .iter()
            .position(|tick| *tick >= high * 0.9999)
            .unwrap_or(all.len() - 1);
        let last = last.max(first + 1).min(all.len() - 1);
        Self {
            ticks: all[first..=last].to_vec(),
            pixels,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = (
            self.ticks[0].log10(),
            self.ticks[self.ticks.len() - 1].log10(),
        );
        let part = (value.log10() - low) / (high - low);
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Few enough to be read.
    fn labelled(&self) -> impl Iterator<Item = f64> {
        let every = if self.ticks.len() > 10 { 3 } else { 1 };
        self.ticks.iter().copied().step_by(every)
    }
}

impl Plot {
    /// The picture. Points that are not above 0 have no place in it.
    pub(crate) fn to_svg(&self) -> String {
        let (left, top, right, bottom) = FRAME;
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::over(points().map(|point| point.0), (left, right));
        let y = Axis::over(points().map(|point| point.1), (bottom, top));
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{left}" y="24" font-size="16">{}</text>
"##,
            SIZE.0,
            SIZE.1,
            escaped(&self.title)
        );
        for tick in x.labelled() {
            let at = x.place(tick);
            let _ = writeln!(
                out,
                r##"<path d="M{at:.1} {top}V{bottom}" stroke="#dddddd"/><text x="{at:.1}" y="{}" text-anchor="middle">{}</text>"##,
                bottom + 18.0,
                number(tick)
            );
        }
        for tick in y.labelled() {
            let at = y.place(tick);
            let _ = writeln!(
                out,
                r##"<path d="M{left} {at:.1}H{right}" stroke="#dddddd"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
                left - 8.0,
                at + 4.0,
                number(tick)
            );
        }
        let _ = writeln!(
            out,
            r##"<rect x="{left}" y="{top}" width="{}" height="{}" fill="none" stroke="#333333"/>"##,
            right - left,
            bottom - top
        );
        let _ = writeln!(
            out,
            r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
            f64::midpoint(left, right),
            bottom + 42.0,
            escaped(self.axes.0)
        );
        let middle = f64::midpoint(top, bottom);
        let _ = writeln!(
            out,
            r#"<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">{}</text>"#,
            escaped(self.axes.1)
        );
        for (index, series) in self.series.iter().enumerate() {
            line(&mut out, series, STYLES[index % STYLES.len()], (&x, &y));
            let (colour, dashes) = STYLES[index % STYLES.len()];
            let at = top + 18.0 + 18.0 * index as f64;
            let _ = writeln!(
                out,
                r#"<path d="M{} {:.1}h26" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/><text x="{}" y="{at:.1}">{}</text>"#,
                left + 12.0,
                at - 4.0,
                left + 46.0,
                escaped(&series.name)
            );
        }
        out.push_str("</svg>\n");
        out
    }
}

fn line(out: &mut String, series: &Series, style: (&str, &str), axes: (&Axis, &Axis)) {
    let places: Vec<(f64, f64)> = series
        .points
        .iter()
        .filter(|(x, y)| *x > 0.0 && *y > 0.0 && x.is_finite() && y.is_finite())
        .map(|(x, y)| (axes.0.place(*x), axes.1.place(*y)))
        .collect();
    let joined: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let (colour, dashes) = style;
    let _ = writeln!(
        out,
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>"#,
        joined.join(" ")
    );
    for (x, y) in places {
        let _ = writeln!(
            out,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#
        );
    }
}

fn number(value: f64) -> String {
    match value {
        million if million >= 1e6 => format!("{}M", million / 1e6),
        thousand if thousand >= 1e4 => format!("{}k", thousand / 1e3),
        // Not 0.30000000000000004.
        small if small < 1.0 => format!("{small:.6}").trim_end_matches('0').to_owned(),
        value => format!("{value:.0}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(series: Vec<Series>) -> Plot {
        Plot {
            name: "p",
            title: "a < b".to_owned(),
            axes: ("records", "seconds"),
            series,
        }
    }

    #[test]
    fn points_lie_within_the_frame_and_larger_ones_right_and_above() {
        let axis = Axis::over([3.0, 480.0].into_iter(), (100.0, 200.0));
        assert_eq!(
            (axis.ticks[0], axis.ticks.last().copied()),
            (2.0, Some(500.0))
        );
        assert!(
            axis.place(3.0) > 100.0
                && axis.place(480.0) < 200.0
                && axis.place(3.0) < axis.place(4.0)
        );
        assert_eq!(axis.place(2.0), 100.0);
    }

    #[test]
    fn a_plot_has_a_mark_for_each_point_that_has_a_place() {
        let series = Series::new("ours", vec![(1e4, 0.1), (1e5, 0.9), (1e6, 9.0), (0.0, 1.0)]);
        let svg = plot(vec![series, Series::new("one", vec![(1e4, 1.0)])]).to_svg();
        assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
        assert!(
            svg.contains("a &lt; b") && svg.contains(">1M<") && svg.contains(">0.1<"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_to_plot_is_a_plot_all_the_same() {
        let svg = plot(vec![Series::new("none", Vec::new())]).to_svg();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    }
}
