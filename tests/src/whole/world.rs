//! Processes on hosts: who serves what, who calls whom, and how they are started, crash and come back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SanType, SerialNumber,
};
use sinew::{
    Identity, Mesh, Server, ServerBuilder,
    fuzzing::{self, Script},
};

use super::{
    faults::{Cast, Fault},
    journal::{Journal, Whose},
    net::{Host, Net, Process, Weather, address},
    service::{
        BackClient, BackServer, FrontClient, FrontServer, MiddleClient, MiddleServer, Next, Own,
        Serving, Shape,
    },
};
use crate::Must as _;

/// Where every server listens on its host.
const PORT: u16 = 7000;

/// What a process calls, and what it is told of where that is.
#[derive(Debug)]
struct Calls {
    next: Next,
    script: Script,
    /// Which tier that is.
    tier: usize,
}

/// A process that runs.
#[derive(Debug)]
pub struct Up {
    process: Arc<Process>,
    /// Its mesh.
    pub mesh: Mesh,
    calls: Option<Calls>,
    _server: Option<Server>,
}

/// A host, and what runs on it.
#[derive(Debug)]
struct Node {
    tier: Option<usize>,
    shape: Arc<Shape>,
    instance: u32,
    up: Option<Up>,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    /// Who is there.
    pub cast: Cast,
    /// What happened.
    pub journal: Journal,
    net: Net,
    nodes: BTreeMap<Host, Node>,
    papers: Papers,
    /// Ids that were listed once and stand for no process any more, by tier.
    gone: Vec<BTreeSet<String>>,
}

impl World {
    /// All of them at work. Nobody has heard where the others are.
    pub async fn new(cast: Cast, net: Net, journal: Journal) -> Self {
        let mut nodes = BTreeMap::new();
        let tier = |host: &Host| cast.tiers.iter().position(|tier| tier.contains(host));
        for host in cast.callers.iter().copied().chain(cast.servers()) {
            let (tier, shape) = (tier(&host), Arc::default());
            nodes.insert(host, Node { tier, shape, instance: 0, up: None });
        }
        let gone = vec![BTreeSet::new(); cast.tiers.len()];
        let hosts: Vec<Host> = nodes.keys().copied().collect();
        let mut world = Self { cast, journal, net, nodes, papers: Papers::get().clone(), gone };
        for host in hosts {
            world.start(host).await;
        }
        world
    }

    fn whose(&self, host: Host) -> Whose {
        Whose { host, instance: self.nodes.get(&host).map_or(0, |node| node.instance) }
    }

    /// Who calls, and what, at a host that only calls.
    pub fn caller(&self, host: Host) -> Option<(Own, Next)> {
        let up = self.nodes.get(&host)?.up.as_ref()?;
        let own = Own { journal: self.journal.clone(), whose: self.whose(host), run: None };
        Some((own, up.calls.as_ref()?.next.clone()))
    }

    /// Every process that runs.
    pub fn up(&self) -> impl Iterator<Item = (Whose, &Up)> {
        self.nodes.iter().filter_map(|(host, node)| Some((self.whose(*host), node.up.as_ref()?)))
    }

    async fn start(&mut self, host: Host) {
        let whose = self.whose(host);
        let Some(node) = self.nodes.get(&host) else { return };
        let (tier, shape) = (node.tier, Arc::clone(&node.shape));
        let process = self.net.process(host);
        let builder = Mesh::builder().without_local_discovery();
        let builder =
            builder.identity(self.papers.identity(tier.map_or(CALLER, |tier| self.name(tier))));
        let mesh = fuzzing::on(builder, process.clone()).build().await.must("a mesh");
        let below = tier.map_or(0, |tier| tier + 1);
        let calls = (below < self.cast.tiers.len()).then(|| calls(&mesh, self.name(below), below));
        let own = Own { journal: self.journal.clone(), whose, run: None };
        let next = calls.as_ref().map(|calls| calls.next.clone());
        let serving = Serving { own, shape, next };
        let server = match tier {
            Some(tier) => {
                let server = served(mesh.server(), self.name(tier), serving);
                Some(server.bind(address(host, PORT)).await.must("a server"))
            }
            None => None,
        };
        let up = Up { process, mesh, calls, _server: server };
        if let Some(node) = self.nodes.get_mut(&host) {
            node.up = Some(up);
        }
    }

    /// The service of a tier.
    fn name(&self, tier: usize) -> &'static str {
        match (tier, self.cast.tiers.len() - tier) {
            (0, _) => "sim.Front",
            (_, 1) => "sim.Back",
            _ => "sim.Middle",
        }
    }

    /// The id under which a process is listed.
    fn id(whose: Whose) -> String {
        format!("host-{}-{}", whose.host, whose.instance)
    }

    /// The servers of a tier, as a directory has them that notices a crash only when somebody else is there.
    fn listed(&self, tier: usize) -> Vec<(String, String)> {
        let each = |host: &Host| (Self::id(self.whose(*host)), address(*host, PORT).to_string());
        self.cast.tiers[tier].iter().map(each).collect()
    }

    /// What a process is told of where its servers are.
    fn tell(&self, host: Host, how: Fault) {
        let Some(calls) = self.nodes.get(&host).and_then(|node| node.up.as_ref()?.calls.as_ref())
        else {
            return;
        };
        let (mut listed, mut gone) = (self.listed(calls.tier), BTreeSet::new());
        match how {
            Fault::Empty(_) => listed.clear(),
            Fault::Half(_) => listed.truncate(1),
            Fault::Unasked(_) => return calls.script.fails("it does not answer"),
            _ => gone.clone_from(&self.gone[calls.tier]),
        }
        if !listed.is_empty() {
            self.journal.lists(self.whose(host), calls.next.service());
        }
        calls.script.lists(&listed, gone);
    }

    /// Everybody is told the truth.
    pub fn tell_all(&self) {
        for host in self.nodes.keys() {
            self.tell(*host, Fault::Told(*host));
        }
    }

    fn crash(&mut self, host: Host) {
        let whose = self.whose(host);
        let Some(up) = self.nodes.get_mut(&host).and_then(|node| node.up.take()) else { return };
        // First its socket, so that it can say nothing any more; then what it was doing, which hears nothing of it.
        up.process.crash();
        self.journal.crashes(whose);
        drop(up);
    }

    async fn restart(&mut self, host: Host) {
        let old = self.whose(host);
        let Some(node) = self.nodes.get_mut(&host).filter(|node| node.up.is_none()) else { return };
        node.instance += 1;
        if let Some(tier) = node.tier {
            self.gone[tier].insert(Self::id(old));
        }
        self.start(host).await;
        self.tell_all();
    }

    /// Something goes wrong, or is put right.
    pub async fn apply(&mut self, fault: Fault) {
        self.journal.note(|| format!("{fault:?}"));
        let shape = |host: Host| self.nodes.get(&host).map(|node| Arc::clone(&node.shape));
        match fault {
            Fault::Partition(a, b) => self.net.partition(a, b),
            Fault::Repair(a, b) => self.net.repair(a, b),
            Fault::Hold(a, b) => self.net.hold(a, b),
            Fault::Release(a, b) => self.net.release(a, b),
            Fault::Crash(host) => self.crash(host),
            Fault::Restart(host) => self.restart(host).await,
            Fault::Slow(host, times) => {
                shape(host).into_iter().for_each(|shape| shape.slower.store(times, Relaxed));
            }
            Fault::Ill(host) | Fault::Well(host) => {
                let ill = fault == Fault::Ill(host);
                shape(host).into_iter().for_each(|shape| shape.ill.store(ill, Relaxed));
            }
            Fault::Weather(weather) => self.net.set_weather(weather),
            Fault::Empty(host) | Fault::Half(host) | Fault::Unasked(host) | Fault::Told(host) => {
                self.tell(host, fault);
            }
        }
    }

    /// Everything is put right.
    pub async fn heal(&mut self) {
        self.journal.note(|| "everything is put right".to_owned());
        self.net.mend();
        self.net.set_weather(Weather::default());
        for server in self.cast.servers() {
            self.apply(Fault::Slow(server, 0)).await;
            self.apply(Fault::Well(server)).await;
            self.restart(server).await;
        }
        self.tell_all();
    }

    /// Which host an address of an endpoint is on.
    pub fn host_of(&self, endpoint: &str) -> Option<Host> {
        let mut hosts = self.nodes.keys().copied();
        hosts.find(|host| address(*host, PORT).to_string() == endpoint)
    }
}

fn calls(mesh: &Mesh, service: &'static str, tier: usize) -> Calls {
    let (next, script) = match service {
        "sim.Front" => {
            let (client, script) = fuzzing::scripted::<FrontClient>(mesh).must("a client");
            (Next::Front(client), script)
        }
        "sim.Middle" => {
            let (client, script) = fuzzing::scripted::<MiddleClient>(mesh).must("a client");
            (Next::Middle(client), script)
        }
        _ => {
            let (client, script) = fuzzing::scripted::<BackClient>(mesh).must("a client");
            (Next::Back(client), script)
        }
    };
    Calls { next, script, tier }
}

fn served(server: ServerBuilder, service: &'static str, serving: Serving) -> ServerBuilder {
    match service {
        "sim.Front" => server.serve(FrontServer::new(serving)),
        "sim.Middle" => server.serve(MiddleServer::new(serving)),
        _ => server.serve(BackServer::new(serving)),
    }
}

/// Certificates of Ed25519, whose signatures have one length: what differs from run to run in them changes no packet's size.
#[derive(Debug, Clone)]
struct Papers {
    authority: String,
    /// Certificate and key of whoever calls, and of the services.
    issued: BTreeMap<&'static str, (String, String)>,
}

const CALLER: &str = "caller";

impl Papers {
    /// Those of this process.
    fn get() -> &'static Self {
        static PAPERS: OnceLock<Papers> = OnceLock::new();
        PAPERS.get_or_init(Self::issue)
    }

    fn issue() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ED25519).must("a key");
        let params = |name: &str, number: u64| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.serial_number = Some(SerialNumber::from(0x0100_0000 + number));
            params
        };
        let mut root = params("simulation", 0);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = key();
        let authority = root.self_signed(&root_key).must("an authority").pem();
        let issuer = Issuer::new(root, root_key);
        let names = [CALLER, "sim.Front", "sim.Middle", "sim.Back"];
        let issued = names.into_iter().zip(1..).map(|(name, number)| {
            let (key, mut params) = (key(), params(name, number));
            let id = format!("spiffe://sim.example/{name}");
            params.subject_alt_names = vec![SanType::URI(id.try_into().must("an id"))];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            let certificate = params.signed_by(&key, &issuer).must("a certificate");
            (name, (certificate.pem(), key.serialize_pem()))
        });
        Self { authority, issued: issued.collect() }
    }

    /// An identity of its own for each process: what a connection leaves behind for the next is not shared.
    fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = &self.issued[name];
        let authority = self.authority.as_bytes();
        Identity::from_pem(certificate.as_bytes(), key.as_bytes(), authority).must("an identity")
    }
}
