//! Child processes: said aloud, run in the workspace's root, their output passed through.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use crate::workspace::Workspace;

/// A call of a program that has not been made yet.
#[derive(Debug)]
pub(crate) struct Call {
    command: Command,
    /// As one would type it, environment first.
    line: String,
}

/// `cargo` with `args`, which are split at blanks: no argument here contains one.
pub(crate) fn cargo(at: &Workspace, args: &str) -> Call {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    call(at, &program, &format!("cargo {args}"))
}

/// `rustup` with `args`: the way to a cargo of another toolchain.
pub(crate) fn rustup(at: &Workspace, args: &str) -> Call {
    let mut call = call(at, "rustup".as_ref(), &format!("rustup {args}"));
    // Ours; the other toolchain's cargo sets its own.
    call.command.env_remove("CARGO");
    call
}

/// The system's `apt-get` with `args`.
pub(crate) fn apt_get(at: &Workspace, args: &str) -> Call {
    call(at, "apt-get".as_ref(), &format!("apt-get {args}")).env("DEBIAN_FRONTEND", "noninteractive")
}

/// Any program with `args`.
pub(crate) fn program(at: &Workspace, path: &Path, args: &str) -> Call {
    call(at, path.as_os_str(), &format!("{} {args}", path.display()))
}

fn call(at: &Workspace, program: &OsStr, line: &str) -> Call {
    let mut command = Command::new(program);
    command.args(line.split(' ').skip(1).filter(|arg| !arg.is_empty())).current_dir(at.root());
    Call { command, line: line.to_owned() }
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.line = format!("{name}={:?} {}", value.as_ref(), self.line);
        self.command.env(name, value);
        self
    }

    /// One more argument, blanks and all.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.line = format!("{} {}", self.line, arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    /// In this folder, from the root.
    pub(crate) fn inside(mut self, folder: &str) -> Self {
        if let Some(root) = self.command.get_current_dir().map(Path::to_owned) {
            self.command.current_dir(root.join(folder));
        }
        self
    }

    /// Prints the command, runs it and passes its output through.
    pub(crate) fn run(mut self) -> Result<(), String> {
        println!("$ {}", self.line);
        let status = self.command.status().map_err(|why| format!("`{}` did not start: {why}", self.line))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", self.line)) }
    }

    /// Runs the command and returns what it wrote to its standard output.
    pub(crate) fn read(mut self) -> Result<String, String> {
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|why| format!("`{}` did not start: {why}", self.line))?;
        if !output.status.success() {
            return Err(format!("`{}` failed ({})", self.line, output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{}` wrote something other than text", self.line))
    }

    /// Whether the command is there and works.
    pub(crate) fn succeeds_silently(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}
