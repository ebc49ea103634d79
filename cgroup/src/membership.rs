//! Which cgroup this process is in: `/proc/self/cgroup` (format: `cgroups(7)`), one
//! `id:controllers:path` line per hierarchy.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The two generations of the kernel interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// One hierarchy per controller, or per set of controllers.
    V1,
    /// One unified hierarchy, whose line is `0::path`.
    V2,
}

/// The process's place in the hierarchy that owns one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership<'a> {
    pub(crate) version: Version,
    /// As seen from the process's cgroup namespace: starts with `/..` if it lies outside.
    pub(crate) path: &'a Path,
}

/// Which of its places is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hierarchy {
    /// A controller belongs to one hierarchy at a time, so a v1 line that names it wins over the
    /// unified one (hybrid hosts have both).
    Of(&'static str),
    /// v2, whoever owns the controllers.
    Unified,
}

impl Hierarchy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of(controller) => controller,
            Self::Unified => "unified",
        }
    }

    /// The process's place in it.
    pub(crate) fn find(self, proc_cgroup: &[u8]) -> Option<Membership<'_>> {
        let lines = || proc_cgroup.split(|&byte| byte == b'\n');
        let v1 = |controller| lines().find_map(|line| parse_line(line, Version::V1, controller));
        let v2 = || lines().find_map(|line| parse_line(line, Version::V2, ""));
        match self {
            Self::Of(controller) => v1(controller).or_else(v2),
            Self::Unified => v2(),
        }
    }
}

/// `controller` counts for v1 only.
fn parse_line<'a>(line: &'a [u8], version: Version, controller: &str) -> Option<Membership<'a>> {
    // At most three parts: a path may hold colons.
    let mut parts = line.splitn(3, |&byte| byte == b':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let matches = match version {
        Version::V1 => controllers.split(|&byte| byte == b',').any(|name| name == controller.as_bytes()),
        Version::V2 => id == b"0" && controllers.is_empty(),
    };
    let path = Path::new(OsStr::from_bytes(path));
    (matches && path.is_absolute()).then_some(Membership { version, path })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn v1_wins_and_names_match_exactly() {
        let v1 = |path| Some(Membership { version: Version::V1, path: Path::new(path) });
        let v2 = |path| Some(Membership { version: Version::V2, path: Path::new(path) });
        for (text, expected) in [
            ("0::/u\n", v2("/u")),
            ("0::/u\n4:cpu,cpuacct:/a\n", v1("/a")),
            ("4:cpuacct,cpu:/a:b\n", v1("/a:b")),
            ("4:cpuset:/a\n", None),
            ("1:name=cpu:/a\n0::/../u", v2("/../u")),
            ("4:cpu:relative\n", None),
            ("", None),
            ("0:\n::\n", None),
        ] {
            assert_eq!(Hierarchy::Of("cpu").find(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn the_unified_one_is_found_beside_v1() {
        for (text, expected) in [
            ("0::/u\n4:cpu:/a\n", Some("/u")),
            ("4:cpu:/a\n1:name=systemd:/s\n0::/u\n", Some("/u")),
            ("4:cpu:/a\n", None),
            ("4::/a\n", None),
        ] {
            let path = Hierarchy::Unified.find(text.as_bytes()).map(|member| member.path.to_str().unwrap());
            assert_eq!(path, expected, "{text:?}");
        }
    }
}
