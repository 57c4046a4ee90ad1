//! Secrets that nobody gave: made once, kept in the data folder, readable by the owner alone.

use crate::identity::token;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Makes the data folder, closed to others.
pub fn folder(path: &Path) -> Result<(), String> {
    let say = |error: std::io::Error| format!("the data folder {} cannot be made: {error}", path.display());
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(say)
}

/// 32 bytes kept in a file of the data folder; made at the first time.
pub fn key(folder: &Path, name: &str) -> Result<[u8; 32], String> {
    let path = folder.join(name);
    let say = |error: std::io::Error| format!("{} cannot be used: {error}", path.display());
    match create(&path) {
        Ok(mut file) => {
            let bytes = token::random::<32>();
            file.write_all(STANDARD.encode(bytes).as_bytes()).map_err(say)?;
            file.sync_all().map_err(say)?;
            return Ok(bytes);
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(say(error)),
    }
    let mut text = String::new();
    std::fs::File::open(&path).map_err(say)?.take(1024).read_to_string(&mut text).map_err(say)?;
    decode(&text).ok_or_else(|| format!("{} does not hold 32 bytes in base64", path.display()))
}

/// 32 bytes from base64.
pub fn decode(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

fn create(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = key(folder.path(), "token.key").expect("made");
        assert_eq!(key(folder.path(), "token.key"), Ok(one));
        assert_ne!(key(folder.path(), "seal.key"), Ok(one));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join("token.key")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.path().join("short.key"), "abc").expect("written");
        assert!(key(folder.path(), "short.key").is_err());
    }
}
