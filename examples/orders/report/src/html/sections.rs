//! The sections of the page. Each is a whole `<section>`, or nothing if the report has no data for it.

use super::escape::{data_url, text};
use crate::number::human;
use crate::plot::{self, Key, Picture};
use crate::{Bars, FlameGraph, Improvement, Invariant, Report, Row, Variant};

/// The factors the reader came for.
pub(super) fn headlines(report: &Report) -> String {
    let cards: String = report.comparison.rows.iter().filter_map(headline).collect();
    if cards.is_empty() { cards } else { format!("<div class=\"cards\">{cards}</div>\n") }
}

fn headline(row: &Row) -> Option<String> {
    let (name, improvement) = (row.headline.as_ref()?, row.improvement()?);
    Some(format!(
        "<div class=\"card\"><span>{}</span><b class=\"{}\">{}</b><span>{} to {} {}</span></div>",
        text(name),
        verdict(improvement),
        improvement.factor_text(),
        human(row.naive),
        human(row.tuned),
        text(&row.unit),
    ))
}

fn verdict(improvement: Improvement) -> &'static str {
    if improvement.factor >= 1.0 { "good" } else { "bad" }
}

pub(super) fn comparison(report: &Report) -> String {
    let rows: String = report.comparison.rows.iter().map(table_row).collect();
    let notes: String =
        report.comparison.notes.iter().map(|note| format!("<p class=\"muted\">{}</p>", text(note))).collect();
    section(
        "Comparison",
        &rows,
        &format!(
            "<div class=\"scroll\"><table><thead><tr><th></th><th class=\"naive\">naive</th><th class=\"tuned\">tuned</th>\
             <th>better by</th><th>change</th></tr></thead><tbody>{rows}</tbody></table></div>{notes}"
        ),
    )
}

fn table_row(row: &Row) -> String {
    let (factor, percent) = row.improvement().map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |better| (format!("<b class=\"{}\">{}</b>", verdict(better), better.factor_text()), better.percent_text()),
    );
    format!(
        "<tr><td>{} <small>{}</small></td><td>{}</td><td>{}</td><td>{factor}</td><td>{percent}</td></tr>",
        text(&row.name),
        text(&row.unit),
        human(row.naive),
        human(row.tuned),
    )
}

pub(super) fn pictures(report: &Report) -> String {
    let figures: String = plot::pictures(report).iter().map(figure).collect();
    section("Under load", &figures, &format!("<div class=\"grid\">{figures}</div>"))
}

fn figure(picture: &Picture) -> String {
    let keys: String = picture.keys.iter().map(key).collect();
    format!(
        "<figure><h3>{}</h3><div class=\"keys\">{keys}</div>{}<figcaption>{}</figcaption></figure>",
        text(picture.title),
        picture.svg,
        text(picture.caption),
    )
}

fn key(key: &Key) -> String {
    let dashed = if key.dashed { " class=\"dashed\"" } else { "" };
    format!("<span class=\"{}\"><i{dashed}></i><em>{}</em></span>", key.variant.name(), text(&key.label))
}

/// Costs as pairs of bars, each pair on its own linear scale.
pub(super) fn bars(report: &Report) -> String {
    let figures: String = report.bars.iter().map(bar_figure).collect();
    section("What an order costs", &figures, &format!("<div class=\"grid\">{figures}</div>"))
}

fn bar_figure(bars: &Bars) -> String {
    format!("<figure><h3>{}</h3>{}</figure>", text(&bars.title), pair(bars.naive, bars.tuned, human))
}

/// Where the CPU time went, as shares of each variant's own samples.
pub(super) fn cpu(report: &Report) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let figures: String = report
        .cpu
        .iter()
        .map(|share| {
            format!("<figure><h3>{}</h3>{}</figure>", text(&share.kind), pair(share.naive, share.tuned, percent))
        })
        .collect();
    section(
        "Where the CPU time goes",
        &figures,
        &format!(
            "<p class=\"muted\">Share of the CPU samples, each counted for the innermost function whose kind is \
             known.</p><div class=\"grid\">{figures}</div>"
        ),
    )
}

fn pair(naive: f64, tuned: f64, label: impl Fn(f64) -> String) -> String {
    let longest = naive.max(tuned);
    let bar = |variant: Variant, value: f64| {
        let width = if value.is_finite() && longest > 0.0 { value / longest * 100.0 } else { 0.0 };
        let name = variant.name();
        format!(
            "<span class=\"{name}\">{name}</span><div class=\"{name}\" style=\"width:{width:.2}%\"></div><span>{}</span>",
            label(value)
        )
    };
    format!("<div class=\"pair\">{}{}</div>", bar(Variant::Naive, naive), bar(Variant::Tuned, tuned))
}

pub(super) fn flame_graphs(report: &Report) -> String {
    let graphs: String = report.flame_graphs.iter().map(flame_graph).collect();
    section(
        "Flame graphs",
        &graphs,
        &format!(
            "<p class=\"muted\">CPU time by call stack, callers below their callees. Click a frame to zoom, search at the top \
             right.</p>{graphs}"
        ),
    )
}

fn flame_graph(graph: &FlameGraph) -> String {
    let (name, file) = (graph.variant.name(), graph.file_name());
    format!(
        "<details><summary><span class=\"{name}\">{name}</span> &nbsp;<a href=\"{file}\">{file}</a></summary>\
         <iframe title=\"CPU flame graph, {name}\" style=\"height:{}px\" src=\"{}\"></iframe></details>",
        height(&graph.svg).unwrap_or(DEFAULT_HEIGHT),
        data_url(&graph.svg)
    )
}

/// The frame of a picture that does not say its height.
const DEFAULT_HEIGHT: u32 = 640;

/// The height that an SVG gives itself, in pixels, by its first `height`.
fn height(svg: &str) -> Option<u32> {
    let (_, rest) = svg.split_once(" height=\"")?;
    rest.split_once('"')?.0.parse().ok()
}

pub(super) fn invariants(report: &Report) -> String {
    let items: String = report.invariants.iter().map(invariant).collect();
    section("Promises kept", &items, &format!("<ul>{items}</ul>"))
}

fn invariant(invariant: &Invariant) -> String {
    let (class, mark) = if invariant.held { ("good", "✓ held") } else { ("bad", "✗ broken") };
    let variant = invariant.variant.name();
    format!(
        "<li><b class=\"{class}\">{mark}</b> &nbsp;<span class=\"{variant}\">{variant}</span>: {} \
         <span class=\"muted\">{}</span></li>",
        text(&invariant.name),
        text(&invariant.detail),
    )
}

pub(super) fn environment(report: &Report) -> String {
    let items: String = report
        .environment
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>", text(name), text(value)))
        .collect();
    section("Machine and build", &items, &format!("<dl>{items}</dl>"))
}

pub(super) fn commands(report: &Report) -> String {
    let items: String = report
        .commands
        .iter()
        .map(|(what, command)| format!("<p>{}</p><pre>{}</pre>", text(what), text(command)))
        .collect();
    section("Repeat it", &items, &items)
}

fn section(title: &str, data: &str, body: &str) -> String {
    if data.is_empty() { String::new() } else { format!("<section><h2>{}</h2>{body}</section>\n", text(title)) }
}
