//! `sinew ca`: the development CA, which processes find by themselves, and certificates of it as files.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value, json};
use sinew::{DevelopmentAuthority, DevelopmentCa, DevelopmentStanding, SpiffeId};

use crate::{
    args::{Ca, Leaf},
    output::{self, Failure, Style, styled},
};

/// The variables by which a process is given certificates of its own, and the file of each in a directory.
const FILES: [(&str, &str); 3] =
    [("SINEW_CERT", "cert.pem"), ("SINEW_KEY", "key.pem"), ("SINEW_BUNDLE", "bundle.pem")];

pub(crate) fn run(ca: Ca, json: bool) -> Result<(), Failure> {
    let authority = DevelopmentCa::open().map_err(|why| Failure::cannot(why.to_string()))?;
    match ca {
        Ca::Show => show(&authority, json),
        Ca::Bundle => {
            let bundle = authority.bundle().map_err(|why| Failure::cannot(why.to_string()))?;
            output::bytes(bundle.as_bytes())
        }
        Ca::Leaf(leaf) => self::leaf(&authority, &leaf, json),
        Ca::Rotate => rotate(&authority, json),
    }
}

fn authorities(ca: &DevelopmentCa) -> Result<Vec<DevelopmentAuthority>, Failure> {
    ca.authorities().map_err(|why| Failure::cannot(why.to_string()))
}

fn show(ca: &DevelopmentCa, json: bool) -> Result<(), Failure> {
    let known = authorities(ca)?;
    let set: Vec<_> = FILES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| std::env::var_os(name).is_some())
        .collect();
    if json {
        return output::json(&json!({
            "directory": ca.directory(),
            "trust_domain": DevelopmentCa::TRUST_DOMAIN,
            "authorities": known.iter().map(as_json).collect::<Vec<_>>(),
            "in_use": set.is_empty(),
        }));
    }
    let directory = ca.directory().display();
    output::line(&format!(
        "{} {}, in {directory}",
        styled(Style::Bold, "development CA of the trust domain"),
        DevelopmentCa::TRUST_DOMAIN
    ))?;
    if known.is_empty() {
        output::line("there is none yet: the first process that needs a certificate makes one")?;
    } else {
        let rows: Vec<_> = known.iter().map(row).collect();
        output::table(&["AUTHORITY", "STANDING", "VALID UNTIL", "KEY", "FILE"], &rows)?;
    }
    if !set.is_empty() {
        output::note(&format!(
            "not in use by what is started here: {} set",
            match &set[..] {
                [one] => format!("{one} is"),
                all => format!("{} are", all.join(" and ")),
            }
        ));
    }
    Ok(())
}

fn row(authority: &DevelopmentAuthority) -> Vec<String> {
    let (_, until) = authority.validity();
    let unread = authority.name.is_empty();
    let file = authority.path.file_name().unwrap_or_default().to_string_lossy();
    vec![
        if unread { "-".to_owned() } else { authority.name.clone() },
        standing(&authority.standing),
        if unread { "-".to_owned() } else { until },
        if authority.has_key { "there" } else { "missing" }.to_owned(),
        file.into_owned(),
    ]
}

fn standing(standing: &DevelopmentStanding) -> String {
    match standing {
        DevelopmentStanding::Issues => "issues".to_owned(),
        DevelopmentStanding::Trusted => "trusted".to_owned(),
        DevelopmentStanding::Over => "over".to_owned(),
        DevelopmentStanding::Unusable { why } => format!("passed over: {why}"),
        other => format!("{other:?}"),
    }
}

fn as_json(authority: &DevelopmentAuthority) -> Value {
    json!({
        "name": authority.name,
        "standing": standing(&authority.standing),
        "not_before": seconds(authority.not_before),
        "not_after": seconds(authority.not_after),
        "has_key": authority.has_key,
        "file": authority.path,
    })
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn leaf(ca: &DevelopmentCa, args: &Leaf, json: bool) -> Result<(), Failure> {
    let whole = match args.id.starts_with("spiffe://") {
        true => args.id.clone(),
        false => format!("spiffe://{}/{}", DevelopmentCa::TRUST_DOMAIN, args.id),
    };
    let id = SpiffeId::new(&whole)
        .map_err(|why| Failure::usage(format!("`{}` can be no identity: {why}", args.id)))?;
    if id.trust_domain().as_str() != DevelopmentCa::TRUST_DOMAIN {
        return Err(Failure::usage(format!(
            "the development CA issues for `{}` alone, and `{id}` is not of it",
            DevelopmentCa::TRUST_DOMAIN
        )));
    }
    let paths = FILES.map(|(_, name)| args.out.join(name));
    if let Some(there) = paths.iter().find(|path| path.exists())
        && !args.replace
    {
        return Err(Failure::usage(format!(
            "{} is there already: name another directory, or give --replace",
            there.display()
        )));
    }
    let leaf = ca.issue(&id).map_err(|why| Failure::cannot(why.to_string()))?;
    make_private(&args.out).map_err(|why| cannot(&args.out, &why))?;
    let texts = [&leaf.certificate, &leaf.key, &leaf.bundle];
    for (path, text) in paths.iter().zip(texts) {
        write_private(path, text).map_err(|why| cannot(path, &why))?;
    }
    let out = fs::canonicalize(&args.out).map_err(|why| cannot(&args.out, &why))?;
    let [certificate, key, bundle] = FILES.map(|(_, name)| out.join(name));
    if json {
        return output::json(&json!({
            "id": id.as_str(), "certificate": certificate, "key": key, "bundle": bundle,
            "not_after": seconds(leaf.not_after),
        }));
    }
    for ((variable, _), path) in FILES.iter().zip([certificate, key, bundle]) {
        output::line(&format!("export {variable}={}", quoted(&path)))?;
    }
    output::note(&format!("`{id}`, valid until {}", leaf.valid_until()));
    Ok(())
}

fn cannot(path: &Path, why: &io::Error) -> Failure {
    Failure::cannot(format!("{}: {why}", path.display()))
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn make_private(directory: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the mode is set on Unix only"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

/// Writes a file for its owner alone: whole, or not at all, for a process may read it at this moment.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = PathBuf::from(format!("{}.new-{}", path.display(), std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&unfinished).and_then(|mut file| file.write_all(text.as_bytes()));
    let moved = written.and_then(|()| fs::rename(&unfinished, path));
    if moved.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

fn rotate(ca: &DevelopmentCa, json: bool) -> Result<(), Failure> {
    ca.rotate().map_err(|why| Failure::cannot(why.to_string()))?;
    let known = authorities(ca)?;
    if json {
        return output::json(&known.iter().map(as_json).collect::<Vec<_>>());
    }
    for authority in &known {
        let (_, until) = authority.validity();
        match authority.standing {
            DevelopmentStanding::Issues => output::line(&format!(
                "{} {}, until {until}",
                styled(Style::Green, "issues now:   "),
                authority.name
            ))?,
            DevelopmentStanding::Trusted => output::line(&format!(
                "{} {}, until {until}",
                styled(Style::Yellow, "still trusted:"),
                authority.name
            ))?,
            _ => {}
        }
    }
    output::note(
        "Processes without SINEW_CERT take the new one at their next handshake, a second from now at the latest; none has \
         to be started again.\n\
         Processes with files of `sinew ca leaf` go on with each other until the old one is over, and refuse what the new \
         one issues until they have its bundle: `sinew ca bundle > DIR/bundle.pem`, then start them again (or let them \
         call `Identity::reload`). After that, `sinew ca leaf ID --out DIR --replace` gives them new certificates.",
    );
    Ok(())
}
