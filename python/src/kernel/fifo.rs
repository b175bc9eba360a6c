//! `madang.kernel.fifo`. The ends are those of `madang.kernel.pipe`.

use std::path::PathBuf;

use madang::Deadline;
use madang::fifo::{self, Options};
use pyo3::prelude::*;

use super::pipe::{Reader, Writer};
use crate::error::Result;
use crate::options;
use crate::timeout::{self, Timeout};

/// Makes a FIFO, a pipe with a name, with exactly these permission bits: no umask. The name never shows
/// others.
///
/// Raises FileExistsError; FileNotFoundError, PermissionError or NotADirectoryError for its directory; OSError
/// with EINVAL for a bad mode. Who is killed meanwhile may leave a file .madang.new.* in the directory.
#[pyfunction]
#[pyo3(signature = (path, mode=None))]
pub(crate) fn make(path: PathBuf, mode: Option<&Bound<'_, PyAny>>) -> Result<()> {
    Ok(fifo::make(path, mode.map_or(Ok(0o600), options::mode)?)?)
}

/// Takes the name away, if it is a FIFO's. Who has it open goes on with it.
///
/// Raises FileNotFoundError; OSError with ENODEV if it is no FIFO, ELOOP if it is a symbolic link: it stays;
/// PermissionError.
#[pyfunction]
pub(crate) fn remove(path: PathBuf) -> Result<()> {
    Ok(fifo::remove(path)?)
}

/// Takes the two names of a channel away: those of them that there are. Raises as remove does.
#[pyfunction]
pub(crate) fn remove_channel(path: PathBuf) -> Result<()> {
    Ok(fifo::remove_channel(path)?)
}

fn made(create: &str, mode: Option<&Bound<'_, PyAny>>, any_owner: bool) -> PyResult<Options> {
    let mode = mode.map_or(Ok(0), options::mode)?;
    Ok(fifo::options().create(options::create(create)?).mode(mode).any_owner(any_owner))
}

/// Opens the end of a FIFO from which one reads, or makes the FIFO first; waits until somebody opened the
/// other end.
///
/// timeout: in seconds; None waits for ever. 0 opens it at once: then the first read waits for a writer,
///     and is b"" only when one has been there and is gone.
/// create: "if-missing", "never" (FileNotFoundError) or "only" (FileExistsError).
/// mode: the permission bits of a new one, exactly; None is 0o600.
/// any_owner: opens it although it belongs to another user than this process's or root.
///
/// Raises TimeoutError; OSError with ENODEV if it is not a FIFO, ELOOP if it is a symbolic link;
/// PermissionError (EACCES; EPERM: another user's, who may have planted it); EBUSY if others keep making and
/// removing it; ValueError if an argument can't be meant.
#[pyfunction]
#[pyo3(signature = (path, *, timeout=None, create="if-missing", mode=None, any_owner=false))]
pub(crate) fn open_reader(
    py: Python,
    path: PathBuf,
    timeout: Option<Timeout>,
    create: &str,
    mode: Option<&Bound<'_, PyAny>>,
    any_owner: bool,
) -> Result<Reader> {
    let options = made(create, mode, any_owner)?;
    let reader = py.detach(|| options.try_reader(path))?;
    let deadline = timeout::deadline(timeout);
    if deadline != Deadline::NOW {
        timeout::wait(py, deadline, |slice| py.detach(|| Ok(reader.wait_for_writer_until(slice)?)))?;
    }
    Ok(Reader::new(reader))
}

/// Opens the end of a FIFO to which one writes, or makes the FIFO first; waits until somebody has it open to
/// read. It looks again and again, at first every 50 microseconds, at last every 5 milliseconds.
///
/// leave_sigpipe: as for madang.pipe.pair. The others are as for open_reader.
///
/// Raises TimeoutError; BlockingIOError if nobody reads and timeout is 0; otherwise as open_reader does.
#[pyfunction]
#[pyo3(signature = (path, *, timeout=None, create="if-missing", mode=None, any_owner=false, leave_sigpipe=false))]
pub(crate) fn open_writer(
    py: Python,
    path: PathBuf,
    timeout: Option<Timeout>,
    create: &str,
    mode: Option<&Bound<'_, PyAny>>,
    any_owner: bool,
    leave_sigpipe: bool,
) -> Result<Writer> {
    let mut options = made(create, mode, any_owner)?.leave_sigpipe(leave_sigpipe);
    let writer = timeout::wait(py, timeout::deadline(timeout), |slice| {
        let writer = py.detach(|| options.writer_until(&path, slice));
        if create == "only" {
            // The first slice made it.
            options = options.create(madang::Create::Never);
        }
        Ok(writer?)
    })?;
    Ok(Writer::new(writer))
}

/// Opens both ends of a FIFO, which needs nobody else: (reader, writer). For a server that doesn't want to see
/// the file end whenever a client leaves: as long as the writer is kept, no read is b"". Raises as
/// open_reader does.
#[pyfunction]
#[pyo3(signature = (path, *, create="if-missing", mode=None, any_owner=false, leave_sigpipe=false))]
pub(crate) fn open_both(
    path: PathBuf,
    create: &str,
    mode: Option<&Bound<'_, PyAny>>,
    any_owner: bool,
    leave_sigpipe: bool,
) -> Result<(Reader, Writer)> {
    let (reader, writer) = made(create, mode, any_owner)?.leave_sigpipe(leave_sigpipe).both(path)?;
    Ok((Reader::new(reader), Writer::new(writer)))
}

/// Opens a side of the two-way channel called path, which is made of the FIFOs path.a and path.b, and waits for
/// the other side: both call the same. What one writes the other reads.
///
///     reader, writer, is_first = madang.fifo.open_channel("chat", timeout=10)
///
/// is_first says whether this is the side that reads path.a, which on a new channel is who came first: by
/// that they can agree who begins. A side is taken by a lock on what is read, so there is no race, and the
/// place of one who was killed is free. It is held as long as the reader is open.
///
/// Raises OSError with EBUSY if both sides are taken; TimeoutError if the other side doesn't come in time;
/// otherwise as open_reader does.
#[pyfunction]
#[pyo3(signature = (path, *, timeout=None, create="if-missing", mode=None, any_owner=false, leave_sigpipe=false))]
pub(crate) fn open_channel(
    py: Python,
    path: PathBuf,
    timeout: Option<Timeout>,
    create: &str,
    mode: Option<&Bound<'_, PyAny>>,
    any_owner: bool,
    leave_sigpipe: bool,
) -> Result<(Reader, Writer, bool)> {
    let side = made(create, mode, any_owner)?.leave_sigpipe(leave_sigpipe).side(path)?;
    let meet = |slice| py.detach(|| Ok(side.meet_until(slice)?));
    let writer = Writer::new(timeout::wait(py, timeout::deadline(timeout), meet)?);
    let is_first = side.is_first();
    Ok((Reader::new(side.into_reader()), writer, is_first))
}
