//! What a run leaves behind: JSON with every round, Markdown to read, plots to see.
//!
//! A full run writes `RESULTS.md` and `plots/` beside this crate, to be committed together; any other run only if it is told
//! to, and else to `target/scoreboard/`, where the JSON of every run goes.

mod markdown;
mod plot;

use std::{env, fs, io, path::Path, path::PathBuf};

use super::{
    Context, Row, Table,
    context::Picture,
    facts::{Afterwards, Facts},
    options::Options,
};
use crate::{
    compare::{Figure, Group, Interval, Role, Series, Verdict, two_groups},
    scale::Scale,
};

pub(super) use plot::{Line, lines};

/// What was found, by row.
#[derive(Debug, serde::Serialize)]
struct Results<'a> {
    facts: &'a Facts,
    afterwards: Afterwards,
    seconds: u64,
    passes: usize,
    tables: &'a [Table],
    findings: &'a [Finding],
    notes: &'a [(&'static str, String)],
}

/// One contender of one table beside the reference, by the table's first figure.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Finding {
    row: &'static str,
    table: String,
    contender: String,
    figure: &'static str,
    ratio: Interval,
    noise: Option<Interval>,
    verdict: Verdict,
    /// If the rounds fall into two groups that lie apart.
    states: Option<[Group; 2]>,
}

/// Writes what the options ask for.
///
/// # Errors
/// The system's.
pub(super) fn results(context: &Context, options: &Options, rows: &[Row]) -> io::Result<()> {
    if context.scale == Scale::Smoke && !options.writes() {
        return Ok(());
    }
    let (tables, notes) = (context.tables.borrow(), context.notes.borrow());
    let findings: Vec<_> = tables.iter().flat_map(findings).collect();
    let seconds = context.started.elapsed().as_secs();
    let results = Results {
        facts: &context.facts,
        afterwards: Afterwards::of(&context.facts),
        seconds,
        passes: context.passes,
        tables: &tables,
        findings: &findings,
        notes: &notes,
    };
    let folder = if options.writes() { options.out().clone() } else { scratch() };
    if options.scale_up() {
        scale_up_results(context, &folder, &notes)?;
    } else {
        println!("{}", markdown::summary(&findings));
        put(&scratch().join("results.json"), &serde_json::to_string_pretty(&results).map_err(io::Error::other)?)?;
        let plots = plot::write(&folder, rows, &tables)?;
        let kind = if options.is_full() { "a full run" } else { "a partial run" };
        put(&folder.join("RESULTS.md"), &markdown::page(&results, rows, &plots, kind))?;
    }
    println!("took {seconds} s in all");
    Ok(())
}

/// Pictures of growth with their points, and what was called out, as `SCALE.md`.
fn scale_up_results(context: &Context, folder: &Path, notes: &[(&str, String)]) -> io::Result<()> {
    let (facts, seconds, pictures) = (&context.facts, context.started.elapsed().as_secs(), context.pictures.borrow());
    let mut page = format!("{SCALE_HEAD}It took {seconds} s:\n\n```text\n{facts}\n```\n\n{SCALE_LEGEND}\n");
    page.push_str(&format!("## What grew\n\nOver {} graphs, {}:\n", pictures.len(), counted(notes.len())));
    for (_, note) in notes {
        page.push_str(&format!("\n- {note}"));
    }
    for Picture { name, svg, table } in pictures.iter() {
        let path = format!("plots/scale/{name}.svg");
        put(&folder.join(&path), svg)?;
        page.push_str(&format!("\n\n{}\n![{name}]({path})", table));
    }
    put(&folder.join("SCALE.md"), &format!("{page}\n"))
}

fn counted(notes: usize) -> String {
    if notes == 0 { "nothing was called out".into() } else { format!("this was called out ({notes})") }
}

const SCALE_HEAD: &str =
    "# Cost as the work grows\n\nWritten by `cargo xtask scoreboard --scale --write`; do not edit. ";

const SCALE_LEGEND: &str = "\
Each point is the least of three interleaved rounds. A flat line means that a step costs the same however much there is to do. What costs \
more than 1.5 times the CPU time per step with ten times as much is called out, whoever it is. Both axes are logarithmic.
";

/// Where the files of any run go: beside the build that this program comes from.
pub(super) fn scratch() -> PathBuf {
    let target = env::current_exe().ok().and_then(|exe| exe.ancestors().nth(3).map(Path::to_owned));
    target.unwrap_or_default().join("scoreboard")
}

pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).and_then(|()| fs::write(path, text)).map_err(named)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// What the first figure says of each contender but the reference.
fn findings(table: &Table) -> Vec<Finding> {
    let (Some(reference), Some(&figure)) = (table.series.first(), table.figures.first()) else { return Vec::new() };
    let noise = noise_of(figure, &table.series);
    let peers = table.series.iter().skip(1).filter(|series| series.role == Role::Contender);
    let finding = |series: &Series| {
        let ratio = series.ratio(figure, 0, reference)?;
        ratio.median.is_finite().then(|| Finding {
            row: table.row,
            table: table.title.clone(),
            contender: series.name.clone(),
            figure: figure.name,
            ratio,
            noise,
            states: two_groups(&series.ratios(figure, reference)),
            // One round has no interval to judge by.
            verdict: if series.rounds[0].len() > 1 { Verdict::of(ratio, noise) } else { Verdict::Even },
        })
    };
    peers.filter_map(finding).collect()
}

/// The reference beside itself.
fn noise_of(figure: Figure, series: &[Series]) -> Option<Interval> {
    let again = series.iter().find(|s| s.role == Role::Again)?;
    again.ratio(figure, 0, series.first()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn table(figure: Figure, values: &[(&str, Role, f64)]) -> Table {
        let series = |&(name, role, value): &(&str, Role, f64)| Series {
            name: name.to_owned(),
            role,
            rounds: vec![vec![value, value * 1.01, value * 0.99]],
            passes: vec![3],
        };
        Table {
            row: "row",
            title: "title".to_owned(),
            figures: vec![figure],
            series: values.iter().map(series).collect(),
            states: vec![1.0],
        }
    }

    #[test]
    fn findings_leave_out_the_reference_the_floor_and_the_noise_row() {
        let table = table(
            Figure::less("ns"),
            &[
                ("tidemill", Role::Contender, 10.0),
                ("tokio", Role::Contender, 30.0),
                ("rival", Role::Contender, 5.0),
                ("floor", Role::Floor, 1.0),
                ("tidemill (A/A)", Role::Again, 10.0),
            ],
        );
        let found = findings(&table);
        let verdicts: Vec<_> = found.iter().map(|f| (f.contender.as_str(), f.verdict)).collect();
        assert_eq!(verdicts, [("tokio", Verdict::Ahead), ("rival", Verdict::Behind)]);
    }

    #[test]
    fn a_single_round_says_nothing() {
        let mut table = table(Figure::less("ns"), &[("a", Role::Contender, 1.0), ("b", Role::Contender, 9.0)]);
        for series in &mut table.series {
            series.rounds[0].truncate(1);
            series.passes = vec![1];
        }
        assert_eq!(findings(&table)[0].verdict, Verdict::Even);
    }

    #[test]
    fn facts_are_not_findings() {
        let table = table(Figure::fact("n"), &[("a", Role::Contender, 1.0), ("b", Role::Contender, 2.0)]);
        assert_eq!(findings(&table), []);
    }
}
