//! What is recorded: a file with a lineage and a serial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;

use gitops_core::{AppId, AppRecord, Class, Fault, Owner, RepoPath, Token};
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, OnDisk, absent, flush, io_fault};

const NAME: &str = "state.json";

/// All that is recorded in one directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Made when the file was: another one is another file, even if it is newer.
    pub(crate) lineage: String,
    /// One more with each write.
    pub(crate) serial: u64,
    pub(crate) apps: BTreeMap<AppId, App>,
}

/// What is recorded of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) record: AppRecord,
    pub(crate) members: BTreeMap<RepoPath, Member>,
}

/// A file that an application made, or took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The file's incarnation. It stays when the file is replaced by ourselves.
    pub(crate) incarnation: String,
    /// The file is one of these: the one that it was, and the one that was about to take its place.
    pub(crate) keys: Vec<String>,
}

impl State {
    fn new() -> Self {
        // Two of them are 128 bits from the operating system.
        let random = || RandomState::new().hash_one(0);
        Self { lineage: format!("{:016x}{:016x}", random(), random()), serial: 0, apps: BTreeMap::new() }
    }

    /// The state as it is stored; a new one where there is none.
    pub(crate) fn load(disk: &Disk) -> Result<Self, Fault> {
        let at = disk.own(NAME);
        let stored = absent(fs::read(&at)).map_err(|error| io_fault(&error).at(at.display()))?;
        let Some(bytes) = stored else { return Ok(Self::new()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            let text = format!("the state is damaged ({error}): put a copy back that is not, or remove it");
            Fault::invalid(text).at(at.display())
        })
    }

    /// Stores the state, in one step and for good.
    pub(crate) fn save(&mut self, disk: &Disk) -> Result<(), Fault> {
        self.serial += 1;
        let (at, new) = (disk.own(NAME), disk.own("state.json.new"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, &at)?;
            flush(&at)
        };
        write().map_err(|error| io_fault(&error).at(at.display()))
    }

    /// Which file this is, and in which state.
    pub(crate) fn token(&self, path: &RepoPath, file: &OnDisk) -> Token {
        let mut members = self.apps.values().filter_map(|app| app.members.get(path));
        let ours = members.find(|member| member.keys.contains(&file.key));
        let incarnation = ours.map_or(&file.key, |member| &member.incarnation);
        Token { incarnation: incarnation.as_str().into(), version: file.version.as_str().into() }
    }

    /// Whose a file is. One that took the place of a member is no member; but where Git says what it is, it is the
    /// application's to mend.
    pub(crate) fn owner(&self, app: &AppId, path: &RepoPath, file: &OnDisk, is_wanted: bool) -> Owner {
        let mut is_claimed = false;
        for (name, of) in &self.apps {
            match of.members.get(path) {
                Some(member) if member.keys.contains(&file.key) => {
                    return if name == app { Owner::This } else { Owner::Other(name.clone()) };
                }
                Some(_) if name == app && is_wanted => return Owner::This,
                Some(_) => is_claimed = true,
                None => {}
            }
        }
        if is_claimed { Owner::Unproven } else { Owner::Nobody }
    }
}

/// The newest state that this process has seen.
#[derive(Debug, Default)]
pub(crate) struct Newest(Option<(String, u64)>);

impl Newest {
    /// Refuses to write over a state that does not follow the one that was seen: somebody put an old copy back, or
    /// removed it, and what is recorded there is not what the files are.
    pub(crate) fn check(&mut self, state: &State) -> Result<(), Fault> {
        if let Some((lineage, serial)) = &self.0
            && (*lineage != state.lineage || state.serial < *serial)
        {
            let text = format!(
                "the state was replaced: it was {lineage} at {serial}, and is {} at {}; start again to go on with it",
                state.lineage, state.serial
            );
            return Err(Fault::new(Class::Denied, text));
        }
        self.0 = Some((state.lineage.clone(), state.serial));
        Ok(())
    }
}
