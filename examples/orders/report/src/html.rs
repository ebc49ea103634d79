//! The report as one HTML file that needs nothing else: no script, no font, no request. It reads well in
//! light and in dark, on a wide screen, on a phone and on paper.

mod escape;
mod sections;
mod style;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Report;
use escape::text;

impl Report {
    /// Writes `report.html` and the flame graphs into `dir`, which is created if need be; returns the path
    /// of the report. The flame graphs are inside the report as well, so the one file can be sent around.
    ///
    /// # Errors
    /// Those of creating the folder and writing its files.
    pub fn write_html(&self, dir: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(dir)?;
        for graph in &self.flame_graphs {
            fs::write(dir.join(graph.file_name()), &graph.svg)?;
        }
        let path = dir.join("report.html");
        fs::write(&path, self.to_html())?;
        Ok(path)
    }

    /// The page itself.
    #[must_use]
    pub fn to_html(&self) -> String {
        let sections = [
            sections::headlines(self),
            sections::comparison(self),
            sections::pictures(self),
            sections::bars(self),
            sections::cpu(self),
            sections::flame_graphs(self),
            sections::invariants(self),
            sections::environment(self),
            sections::commands(self),
        ];
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n<p class=\"lead\">{LEAD}</p>\n{body}</main>\n</body>\n</html>\n",
            title = text(TITLE),
            style = style::CSS,
            body = sections.concat(),
        )
    }
}

const TITLE: &str = "The order pipeline, naive and tuned";
const LEAD: &str = "The same orders, the same store, the same promises, on the same machine: once written the way one \
    writes it first, once built for the machine.";
