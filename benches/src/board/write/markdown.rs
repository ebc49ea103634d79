//! `RESULTS.md`, and the summary at the end of a run.

use std::fmt::Write;

use super::{Finding, Results};
use crate::{
    board::{Row, Table, state},
    compare::{Group, Role, Verdict, median, number},
};

/// Where the reference is ahead, where it is behind, and where nothing can be said.
pub(super) fn summary(findings: &[Finding]) -> String {
    let mut out = String::from("== summary, by the first figure of each table ==\n");
    for (verdict, head) in
        [(Verdict::Behind, "behind"), (Verdict::Even, "no difference beyond the noise"), (Verdict::Ahead, "ahead")]
    {
        let those: Vec<_> = findings.iter().filter(|finding| finding.verdict == verdict).collect();
        out.push_str(&format!("{head}: {} of {}\n", those.len(), findings.len()));
        for Finding { row, table, contender, ratio, .. } in those {
            out.push_str(&format!("  {row}: {table}: {contender} {ratio}\n"));
        }
    }
    out
}

/// The whole page.
pub(super) fn page(results: &Results<'_>, rows: &[Row], plots: &[(&'static str, String)], kind: &str) -> String {
    let mut out = String::from("# Results\n\n");
    // A String takes every write.
    _ = write!(
        out,
        "Written by `cargo xtask scoreboard`; do not edit. It is {kind} of {} s, {} passes over all rows, each a process of its \
         own:\n\n```text\n{}\n{}\n```\n\n",
        results.seconds, results.passes, results.facts, results.afterwards,
    );
    out.push_str(&cores(results.tables));
    out.push_str(LEGEND);
    out.push_str(&losses(results.findings));
    for row in rows {
        let tables: Vec<_> = results.tables.iter().filter(|table| table.row == row.name).collect();
        let notes: Vec<_> = results.notes.iter().filter(|(name, _)| *name == row.name).collect();
        if tables.is_empty() && notes.is_empty() {
            continue;
        }
        _ = write!(
            out,
            "\n## {}. {}\n\nMeasures {}.\nLeaves out {}.\n",
            row.section, row.name, row.measures, row.leaves_out
        );
        for (_, path) in plots.iter().filter(|(name, _)| *name == row.name) {
            _ = write!(out, "\n![{}]({path})\n", row.name);
        }
        for table in tables {
            out.push_str(&one(table, results.findings));
        }
        for (_, note) in notes {
            _ = write!(out, "\n```text\n{note}\n```\n");
        }
    }
    out
}

const LEGEND: &str = "\
A ratio above 1 means that tidemill, or whoever stands in the first line, is better; the brackets are its 95 % interval by a \
bootstrap over passes. **+** is better beyond the noise, **-** is worse beyond the noise, **=** is no difference that this run could \
see. *A/A* is the first line once more: what it differs from itself is the noise. *Floor* is the least that the work can cost. \
Ratios are formed within interleaved rounds; see the [README](README.md).
";

/// Losses first: whoever reads one list should read this one.
fn losses(findings: &[Finding]) -> String {
    let behind: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Behind).collect();
    let ahead = findings.iter().filter(|finding| finding.verdict == Verdict::Ahead).count();
    let mut out = format!(
        "\n## Where it is behind\n\nOf {} comparisons by the first figure it is ahead in {ahead}, behind in {}, and even in the \
         others.\n\n",
        findings.len(),
        behind.len()
    );
    for Finding { row, table, contender, figure, ratio, .. } in behind {
        _ = writeln!(out, "- {row}, {table}: {contender} is better, {figure} {ratio}");
    }
    out
}

fn one(table: &Table, findings: &[Finding]) -> String {
    let floor = table.series.iter().find(|series| series.role == Role::Floor);
    let mut out = format!("\n**{}**\n\n| |", table.title);
    for figure in &table.figures {
        out.push_str(&format!(" {} |", figure.name));
    }
    out.push_str(if floor.is_some() { " ratio | | x floor |\n|---|" } else { " ratio | |\n|---|" });
    out.push_str(&"---|".repeat(table.figures.len() + 2 + usize::from(floor.is_some())));
    for series in &table.series {
        out.push_str(&format!("\n| {} |", series.name));
        for (figure, rounds) in table.figures.iter().zip(&series.rounds) {
            out.push_str(&format!(" {} |", number(figure.value(rounds))));
        }
        let of_this = |f: &&Finding| f.row == table.row && f.table == table.title && f.contender == series.name;
        let (ratio, mark) = match (findings.iter().find(of_this), series.role) {
            (Some(finding), _) => (finding.ratio.to_string(), mark(finding.verdict)),
            (None, Role::Again) => {
                let ratio = series.ratio(table.figures[0], 0, &table.series[0]);
                (ratio.map_or(String::new(), |ratio| ratio.to_string()), "")
            }
            (None, _) => (String::new(), ""),
        };
        out.push_str(&format!(" {ratio} | {mark} |"));
        if let Some(floor) = floor {
            out.push_str(&format!(" {} |", number(series.times(floor))));
        }
    }
    out.push('\n');
    out.push_str(&in_two_states(table, findings));
    out
}

/// Ratios whose median is a fact about neither of two groups of rounds.
fn in_two_states(table: &Table, findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|f| f.row == table.row && f.table == table.title) {
        if let Some([low, high]) = finding.states {
            let told = |group: Group| format!("{}x in {} rounds", number(group.ratio), group.rounds);
            _ = write!(out, "\n{} has two states: {}, {}.\n", finding.contender, told(low), told(high));
        }
    }
    out
}

/// Whether the CPUs were cores of their own while the tables were measured.
fn cores(tables: &[Table]) -> String {
    let states: Vec<_> = tables.iter().flat_map(|table| table.states.iter().copied()).collect();
    let shared = states.iter().filter(|state| **state > state::SHARED).count();
    if states.is_empty() {
        return String::new();
    }
    format!(
        "Before each table of each pass, two threads at once took {}x as long as one alone (median), and more than {}x in {shared} of \
         {}: then the two CPUs shared a core, or somebody else was on it.\n\n",
        number(median(&states)),
        state::SHARED,
        states.len()
    )
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ahead => "+",
        Verdict::Behind => "**-**",
        Verdict::Even => "=",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::table, *};
    use crate::{board::write::findings, compare::Figure};

    fn three() -> Table {
        table(
            Figure::less("ns/op"),
            &[
                ("tidemill", Role::Contender, 10.0),
                ("rival", Role::Contender, 5.0),
                ("floor: a load", Role::Floor, 1.0),
                ("tidemill (A/A)", Role::Again, 10.0),
            ],
        )
    }

    #[test]
    fn a_table_has_as_many_cells_in_every_line() {
        let table = three();
        let text = one(&table, &findings(&table));
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(lines.iter().all(|line| line.matches('|').count() == lines[0].matches('|').count()), "{text}");
        assert!(text.contains("| rival | 5.00 | 0.50x") && text.contains("| **-** | 5.00 |"), "{text}");
    }

    #[test]
    fn losses_are_listed_and_counted() {
        let text = losses(&findings(&three()));
        assert!(text.contains("ahead in 0, behind in 1") && text.contains("- row, title: rival is better"), "{text}");
        assert!(summary(&findings(&three())).contains("behind: 1 of 1"));
    }
}
