//! The cgroup mounts this process can see: `/proc/self/mountinfo` (format:
//! `proc_pid_mountinfo(5)`).
//!
//! ```text
//! 31 24 0:27 /docker/x /sys/fs/cgroup/cpu ro,nosuid master:9 - cgroup cgroup rw,cpu,cpuacct
//! id up dev  root      mount point        options   0..n tags  type   source super options
//! ```
//! `root` says which cgroup the mount point shows; it is not `/` for bind mounts, and starts with
//! `/..` if the mount reaches above our cgroup namespace. White space and backslashes in both paths
//! are written as `\ooo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::membership::Version;

/// One mounted cgroup hierarchy, or a part of one.
#[derive(Debug)]
pub(crate) struct Mount {
    /// The cgroup seen at the mount point.
    pub(crate) root: PathBuf,
    /// Where it is seen, as an absolute path of this process.
    pub(crate) point: PathBuf,
    pub(crate) version: Version,
    super_options: Vec<u8>,
}

impl Mount {
    /// Does this mount show the hierarchy that owns `controller`?
    pub(crate) fn shows(&self, version: Version, controller: &str) -> bool {
        // The unified hierarchy has no controller list here: there is one, and it has all that v1
        // does not claim.
        let controllers = || self.super_options.split(|&byte| byte == b',');
        self.version == version && (version == Version::V2 || controllers().any(|name| name == controller.as_bytes()))
    }
}

/// All cgroup mounts, in the file's order. Lines of other file systems and lines that do not parse
/// are skipped.
pub(crate) fn parse(mountinfo: &[u8]) -> impl Iterator<Item = Mount> + '_ {
    mountinfo.split(|&byte| byte == b'\n').filter_map(parse_line)
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    // By single spaces: the source may be empty.
    let mut fields = line.split(|&byte| byte == b' ');
    let root = unescape(fields.nth(3)?);
    let point = unescape(fields.next()?);
    let mut tail = fields.skip_while(|&field| field != b"-").skip(1);
    let version = match tail.next()? {
        b"cgroup" => Version::V1,
        b"cgroup2" => Version::V2,
        _ => return None,
    };
    let super_options = tail.nth(1)?.to_vec();
    let absolute = point.is_absolute() && root.is_absolute();
    absolute.then_some(Mount { root, point, version, super_options })
}

/// Decodes `\ooo`; anything else stands for itself.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, tail) = octal(rest).unwrap_or((first, after));
        bytes.push(byte);
        rest = tail;
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'], rest) = bytes.split_first_chunk::<4>()? else {
        return None;
    };
    Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    #[test]
    fn decodes_octal_and_leaves_the_rest_alone() {
        for (field, path) in [
            (r"/a\040b", "/a b"),
            (r"/a\134040", r"/a\040"),
            (r"/tab\011end\012", "/tab\tend\n"),
            (r"/\04", r"/\04"),
            (r"/\999", r"/\999"),
            (r"/\777", r"/\777"),
            (r"/\303\251", "/é"),
            ("", ""),
        ] {
            assert_eq!(unescape(field.as_bytes()), Path::new(path), "{field}");
        }
    }

    #[test]
    fn takes_cgroup_lines_with_any_number_of_tags() {
        let text = b"1 0 0:1 / / rw - ext4 /dev/a rw\n\
            2 1 0:2 / /v2 rw - cgroup2 cgroup2 rw\n\
            3 1 0:3 /r /v1 rw shared:1 master:2 - cgroup  rw,cpuacct,cpu\n\
            4 1 0:4 / short rw - cgroup\n\
            \n";
        let mounts: Vec<_> = parse(text).collect();
        let points: Vec<_> = mounts.iter().map(|mount| mount.point.to_str().unwrap()).collect();
        assert_eq!(points, ["/v2", "/v1"]);
        assert!(mounts[0].shows(Version::V2, "cpu"));
        assert!(mounts[1].shows(Version::V1, "cpu") && mounts[1].root == Path::new("/r"));
        assert!(!mounts[1].shows(Version::V1, "cpus") && !mounts[1].shows(Version::V2, "cpu"));
    }
}
