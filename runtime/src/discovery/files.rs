//! Files that only this user may have written, and that appear whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

/// What stands before the name of a file that is not whole yet.
pub(super) const UNFINISHED: &str = ".new-";

/// Why a file is not used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It could not be read this time.
    Unread(String),
    /// It is not what it should be.
    Wrong(String),
}

/// Writes a file whole: elsewhere first, then under its name. Its directory is made where it is missing.
pub(crate) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let directory = file.parent().unwrap_or(file);
    make_private(directory)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.join(format!("{UNFINISHED}{}-{name}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&unfinished).and_then(|mut new| new.write_all(text.as_bytes()));
    let moved = written.and_then(|()| fs::rename(&unfinished, file));
    if moved.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

/// Makes directories for us alone.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The text of a file that only the owner of its directory may have written.
pub(crate) fn read_private(file: &Path, most: u64) -> Result<String, Unusable> {
    let unread = |why: io::Error| Unusable::Unread(why.to_string());
    let metadata = fs::symlink_metadata(file).map_err(unread)?;
    if !metadata.is_file() {
        return Err(Unusable::Wrong("it is no ordinary file".to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(file.parent().unwrap_or(file)).map(|directory| directory.uid());
        if owner.ok() != Some(metadata.uid()) || metadata.mode() & 0o022 != 0 {
            return Err(Unusable::Wrong("others may have written it".to_owned()));
        }
    }
    read_bounded(file, most)
}

/// The text of a file that is not too large.
pub(crate) fn read_bounded(file: &Path, most: u64) -> Result<String, Unusable> {
    let unread = |why: io::Error| Unusable::Unread(why.to_string());
    // What is no file may never end, or never begin.
    if !fs::metadata(file).map_err(unread)?.is_file() {
        return Err(Unusable::Wrong("it is no ordinary file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(file).map_err(unread)?.take(most + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > most {
        return Err(Unusable::Wrong(format!("it has more than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Unusable::Wrong("it is no text (UTF-8)".to_owned()))
}

impl Unusable {
    pub(crate) fn into_words(self) -> String {
        match self {
            Self::Unread(why) | Self::Wrong(why) => why,
        }
    }
}
