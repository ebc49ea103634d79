//! The map of crates in `ARCHITECTURE.md` and the members of the workspace are the same list.
//!
//! The map is the table whose first column names folders: `` | `folder/` | .. ``. A folder below a named one needs no row
//! of its own.

use std::{fs, path::Path};

use crate::workspace::Member;

const DOCUMENT: &str = "ARCHITECTURE.md";

pub(super) fn check(root: &Path, members: &[Member]) -> Vec<String> {
    match fs::read_to_string(root.join(DOCUMENT)) {
        Ok(text) => compare(&folders(&text), members, |folder| root.join(folder).is_dir()),
        Err(why) => vec![format!("{DOCUMENT}: {why} [map]")],
    }
}

fn compare(mapped: &[String], members: &[Member], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let gone = mapped.iter().filter(|folder| !exists(folder));
    let gone = gone.map(|folder| format!("{DOCUMENT}: the map names `{folder}/`, which is not there [map]"));
    let covered = |member: &Member| mapped.iter().any(|folder| Path::new(&member.folder).starts_with(folder));
    let missing = members.iter().filter(|member| !member.folder.is_empty() && !covered(member));
    let missing = missing.map(|member| format!("{DOCUMENT}: the map does not name `{}/` [map]", member.folder));
    gone.chain(missing).collect()
}

/// The folders named in first columns, without their slash.
fn folders(text: &str) -> Vec<String> {
    let cells = text.lines().filter_map(|line| line.trim().strip_prefix('|')?.split('|').next());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.filter_map(|word| word.strip_suffix('/')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str =
        "# Map\n| folder | crate |\n|---|---|\n| `pools/` | `tidemill-pools` |\n| small ones, `examples/` | `a/` |\n";

    fn member(folder: &str) -> Member {
        Member { name: folder.into(), folder: folder.into() }
    }

    #[test]
    fn folders_stand_in_the_first_column() {
        assert_eq!(folders(MAP), ["pools", "examples"]);
    }

    #[test]
    fn the_lists_agree() {
        let members = [member(""), member("pools"), member("examples/orders/load")];
        assert_eq!(compare(&folders(MAP), &members, |_| true), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_row_and_a_row_without_folder() {
        let found = compare(&folders(MAP), &[member("pools"), member("poolside")], |folder| folder == "pools");
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md: the map names `examples/`, which is not there [map]",
                "ARCHITECTURE.md: the map does not name `poolside/` [map]",
            ]
        );
    }
}
