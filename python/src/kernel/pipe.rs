//! `madang.kernel.pipe`.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use madang::pipe;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::held::Held;
use crate::buffer::{NewBytes, Readable, Writable};
use crate::descriptor;
use crate::error::{Error, Result};
use crate::options::{Size, not_negative};
use crate::timeout::{self, Timeout};

/// What is copied with the GIL held: some microseconds.
const LITTLE: usize = 64 << 10;

/// A new pipe: (reader, writer). Bytes that are written to the one are read from the other, in order (pipe(7)).
///
///     reader, writer = madang.pipe.pair()
///
/// packets: packet mode. Each write of at most PIPE_BUF bytes is a packet, and a read takes one; what is
///     longer than was asked for is lost, so read with PIPE_BUF. A longer write is several packets.
/// capacity: how many bytes it can hold at least, as a number or as text such as "1M"; see
///     Writer.set_capacity. None is the kernel's default, 64 KiB as a rule.
/// leave_sigpipe: a write that nobody reads any more raises SIGPIPE, as write(2) does. (Python ignores it,
///     unless the program has changed that.) Otherwise it is only BrokenPipeError.
///
/// Raises OSError with EMFILE or ENFILE; what Writer.set_capacity raises.
#[pyfunction]
#[pyo3(signature = (*, packets=false, capacity=None, leave_sigpipe=false))]
pub(crate) fn pair(packets: bool, capacity: Option<Size>, leave_sigpipe: bool) -> Result<(Reader, Writer)> {
    let options = pipe::options().packets(packets).leave_sigpipe(leave_sigpipe).capacity(capacity.map_or(0, bytes));
    let (reader, writer) = options.pair()?;
    Ok((Reader::new(reader), Writer::new(writer)))
}

fn bytes(size: Size) -> usize {
    // No pipe can hold so much, which the kernel says.
    usize::try_from(u64::from(size)).unwrap_or(usize::MAX)
}

/// The end of a pipe, or of a FIFO, from which one reads.
///
/// Several threads and processes may read: they share what comes. The file ends when the last writer is
/// closed, in whatever process; so close what you don't use, also in children. In a forked child it can be
/// used as in the parent.
///
/// Its descriptor isn't inherited by programs that are started; see detach. It is closed by close(), at
/// the end of a `with` block, and when it is forgotten. What is used after that raises OSError with EBADF.
#[pyclass(frozen, module = "madang.kernel.pipe")]
pub(crate) struct Reader(Held<pipe::Reader>);

/// The end of a pipe, or of a FIFO, to which one writes.
///
/// Several threads and processes may write: what is written with one call of at most PIPE_BUF bytes stays
/// together. When nobody reads any more, writing raises BrokenPipeError (EPIPE), and no signal comes.
///
/// Its descriptor isn't inherited by programs that are started; see detach. It is closed by close(), at
/// the end of a `with` block, and when it is forgotten. What is used after that raises OSError with EBADF.
#[pyclass(frozen, module = "madang.kernel.pipe")]
pub(crate) struct Writer(Held<pipe::Writer>);

impl Reader {
    pub(crate) fn new(reader: pipe::Reader) -> Self {
        Self(Held::new("reader", reader))
    }
}

impl Writer {
    pub(crate) fn new(writer: pipe::Writer) -> Self {
        Self(Held::new("writer", writer))
    }
}

/// The methods of one end: its own, then those that both have. (A class has one block of methods.)
macro_rules! end {
    ($End:ident $name:literal { $($own:tt)* }) => {
        #[pymethods]
        impl $End {
            $($own)*

            /// How many bytes wait in the pipe to be read. Others may read and write meanwhile.
            fn waiting(&self) -> Result<usize> {
                Ok(self.0.share()?.waiting()?)
            }

            /// How many bytes the pipe can hold. It holds them in pages, so many small writes fill it before.
            #[getter]
            fn capacity(&self) -> Result<usize> {
                Ok(self.0.share()?.capacity()?)
            }

            /// Lets the pipe hold at least so many bytes, a number or text such as "1M"; how many that are now: the
            /// next power of two, and a page or more.
            ///
            /// Raises PermissionError (EPERM) for more than /proc/sys/fs/pipe-max-size, if one isn't privileged;
            /// OSError with EBUSY if it holds more than that at the moment, EINVAL if no pipe can hold so many.
            fn set_capacity(&self, capacity: Size) -> Result<usize> {
                Ok(self.0.share()?.set_capacity(bytes(capacity))?)
            }

            /// The descriptor, for select and event loops. It is this object's, and doesn't block: don't read or
            /// write it by other means, nor give it to a child; for that there is detach.
            fn fileno(&self) -> Result<i32> {
                Ok(self.0.share()?.as_fd().as_raw_fd())
            }

            /// Closes this object, but not its descriptor, which it returns: for other programs, and for open(). From
            /// then on it blocks as usual, for whoever shares it. The caller closes it.
            ///
            ///     fd = reader.detach()
            ///     child = subprocess.Popen(["sort"], stdin=fd)  # or pass_fds=[fd]
            ///     os.close(fd)
            ///
            /// inheritable: programs that are started by other means inherit it too, as long as it is open here.
            ///     subprocess needs no such thing.
            ///
            /// Raises OSError with EBUSY if another thread waits with it.
            #[pyo3(signature = (*, inheritable=false))]
            fn detach(&self, inheritable: bool) -> Result<i32> {
                let end = self.0.take()?;
                let fd = if inheritable { end.into_inheritable()? } else { OwnedFd::from(end) };
                Ok(fd.into_raw_fd())
            }

            /// Whether it is closed.
            #[getter]
            fn closed(&self) -> bool {
                self.0.is_closed()
            }

            /// Closes it; closing it again does nothing.
            fn close(&self, py: Python) {
                self.0.close(py);
            }

            fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
                slf.get().0.share()?;
                Ok(slf)
            }

            #[pyo3(signature = (*_exception))]
            fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
                self.close(py);
            }

            fn __repr__(&self) -> String {
                match self.0.get() {
                    Some(end) => format!("<madang.pipe.{}: descriptor {}>", $name, end.as_fd().as_raw_fd()),
                    None => format!("<madang.pipe.{}: closed>", $name),
                }
            }
        }
    };
}

end! { Reader "Reader" {
    /// Takes over a descriptor from which a pipe is read, such as one that a parent handed to this process.
    ///
    /// It belongs to the Reader then, and its number may be another file's. The pipe is opened anew by way
    /// of /proc, so that whoever shares the descriptor doesn't find that it doesn't block any more. (Where
    /// that can't be, because there is no /proc, or the pipe is another user's, they do.)
    ///
    /// Raises OSError with ENODEV if it is not a pipe's; with EBADF if it is the other end, or not open.
    /// Then it stays the caller's.
    #[staticmethod]
    fn from_fd(fd: i32) -> Result<Self> {
        Ok(Self::new(descriptor::take_over(fd, pipe::Reader::from_fd)?))
    }

    /// Waits until there is something, and reads it: at most `length` bytes. b"" is the end of the file: there
    /// is no writer any more, and never will be (with a FIFO: there is none at the moment).
    ///
    /// timeout: in seconds; None waits for ever, 0 doesn't wait.
    ///
    /// Raises TimeoutError; BlockingIOError if there is nothing and timeout is 0; MemoryError.
    #[pyo3(signature = (length=65536, *, timeout=None))]
    fn read<'py>(&self, py: Python<'py>, length: i64, timeout: Option<Timeout>) -> Result<Bound<'py, PyBytes>> {
        let length = not_negative("a length", length)?;
        let mut bytes = NewBytes::new(py, length as u64)?;
        let mut room = bytes.room();
        self.0.wait(py, timeout, length <= LITTLE, |reader, deadline| room.read(reader, deadline))?;
        Ok(bytes.received()?)
    }

    /// Waits until there is something, and reads it into the buffer (a bytearray, an array, …); how many bytes:
    /// 0 at the end of the file.
    ///
    /// Raises as read does.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn read_into(&self, py: Python, mut buffer: Writable, timeout: Option<Timeout>) -> Result<usize> {
        let room = buffer.room();
        let little = room.len() <= LITTLE;
        self.0.wait(py, timeout, little, |reader, deadline| reader.read_uninit(room, deadline))
    }

    /// Waits until `length` bytes have come; fewer only where the file ended before.
    ///
    /// Raises as read does. What had come by then is the exception's attribute `partial`.
    #[pyo3(signature = (length, *, timeout=None))]
    fn read_exact<'py>(&self, py: Python<'py>, length: i64, timeout: Option<Timeout>) -> Result<Bound<'py, PyBytes>> {
        let length = not_negative("a length", length)?;
        let deadline = timeout::deadline(timeout);
        let mut bytes = NewBytes::new(py, length as u64)?;
        let mut room = bytes.room();
        while room.is_left() {
            let little = length <= LITTLE;
            match self.0.wait_until(py, deadline, timeout, little, |reader, slice| room.read(reader, slice)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(with(py, error, "partial", bytes.received()?)),
            }
        }
        Ok(bytes.received()?)
    }
} }

end! { Writer "Writer" {
    /// Takes over a descriptor to which a pipe is written. As Reader.from_fd; leave_sigpipe as for pair.
    #[staticmethod]
    #[pyo3(signature = (fd, *, leave_sigpipe=false))]
    fn from_fd(fd: i32, leave_sigpipe: bool) -> Result<Self> {
        let writer = descriptor::take_over(fd, pipe::Writer::from_fd)?;
        Ok(Self::new(writer.leave_sigpipe(leave_sigpipe)))
    }

    /// Waits until there is room, and writes what there is room for of the data (bytes, a bytearray, an
    /// array, …); how many bytes were written.
    ///
    /// At most PIPE_BUF bytes are written whole or not at all, and what others write never stands among
    /// them. Of more it writes 1 or more, perhaps in pieces between which others write.
    ///
    /// timeout: in seconds; None waits for ever, 0 doesn't wait.
    ///
    /// Raises BrokenPipeError if nobody has the pipe open to read; TimeoutError; BlockingIOError if there is
    /// no room and timeout is 0. Then nothing was written.
    #[pyo3(signature = (data, *, timeout=None))]
    fn write(&self, py: Python, data: Readable, timeout: Option<Timeout>) -> Result<usize> {
        let data = data.as_slice();
        self.0.wait(py, timeout, data.len() <= LITTLE, |writer, deadline| writer.write_until(data, deadline))
    }

    /// Waits until all of the data is written.
    ///
    /// Raises as write does; but of more than PIPE_BUF bytes some may have been written: how many is the
    /// exception's attribute `transferred`.
    #[pyo3(signature = (data, *, timeout=None))]
    fn write_all(&self, py: Python, data: Readable, timeout: Option<Timeout>) -> Result<()> {
        let (mut data, deadline) = (data.as_slice(), timeout::deadline(timeout));
        let all = data.len();
        while !data.is_empty() {
            let write = |writer: &pipe::Writer, slice| writer.write_until(data, slice);
            match self.0.wait_until(py, deadline, timeout, all <= LITTLE, write) {
                Ok(written) => data = &data[written..],
                Err(error) => return Err(with(py, error, "transferred", all - data.len())),
            }
        }
        Ok(())
    }
} }

/// The exception, with one more attribute.
#[cold]
fn with<'py>(py: Python<'py>, error: Error, name: &str, value: impl IntoPyObject<'py>) -> Error {
    let raised = PyErr::from(error);
    // Not every exception of a signal handler takes one.
    let _ = raised.value(py).setattr(name, value);
    raised.into()
}
