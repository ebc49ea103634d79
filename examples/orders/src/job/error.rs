//! The job's one error: what it was doing, and what came in the way. The job cannot repair any of it, so
//! the kinds need no telling apart.

use std::error::Error;
use std::fmt;

/// What stopped the job.
#[derive(Debug)]
pub(crate) struct JobError {
    doing: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl JobError {
    pub(crate) fn new(doing: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), cause: cause.into() }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.cause)
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// Says what was being done when a result failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, JobError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, JobError> {
        self.map_err(|cause| JobError::new(what(), cause))
    }
}
