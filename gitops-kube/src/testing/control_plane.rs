use std::fmt::{self, Debug};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::api::Api;
use super::binaries::Binaries;
use super::certificates::Certificates;
use super::group::Group;
use super::users::{self, ADMIN, User};
use super::{Builder, ControlPlaneError};

/// Where etcd listens; every program runs in the control plane's directory.
const ETCD: &str = "unix://etcd.sock";

/// How often readiness is asked for.
const PAUSE: Duration = Duration::from_millis(50);

/// A private control plane. Its processes end with it: see [the module](super).
pub struct ControlPlane {
    // Dropped first: the group's end removes the directory.
    group: Group,
    directory: PathBuf,
    binaries: Binaries,
    certificates: Certificates,
    users: Vec<User>,
    port: u16,
    api_arguments: Vec<String>,
    deadline: Duration,
}

impl Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("url", &self.url())
            .field("directory", &self.directory)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts a whole control plane; see [`Builder::start`].
    pub async fn start() -> Result<Self, ControlPlaneError> {
        Self::builder().start().await
    }

    /// What to start, to be adjusted.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One whole control plane for all tests of this process, started by the first that asks for it. It ends with the
    /// process. A start that fails is tried again by the next that asks.
    pub async fn shared() -> Result<&'static Self, ControlPlaneError> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    pub(super) async fn from_builder(builder: Builder) -> Result<Self, ControlPlaneError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(ControlPlaneError::NoTlsProvider);
        }
        let binaries = Binaries::find(builder.binaries, builder.api_only)?;
        let users = users::with_admin(&builder.users)?;
        let temporary = make_directory()?;
        let group = Group::start(temporary.path())?;
        // From here on the group sees to it that the directory goes.
        let directory = temporary.keep();
        let mut plane = Self {
            group,
            certificates: Certificates::write(&directory)?,
            port: free_port()?,
            directory,
            binaries,
            users,
            api_arguments: builder.api_arguments,
            deadline: builder.deadline,
        };
        plane.write("tokens.csv", &users::token_file(&plane.users))?;
        for user in &plane.users {
            let config = users::kubeconfig(user, &plane.url(), &plane.certificates.ca);
            plane.write(&kubeconfig_name(&plane.users, &user.name), &config)?;
        }
        let until = Instant::now() + plane.deadline;
        plane.start_storage()?;
        plane.spawn_api()?;
        plane.wait_for_api(until).await?;
        if !builder.api_only {
            plane.start_controllers(until).await?;
        }
        Ok(plane)
    }

    /// The address of the API server, `https://127.0.0.1:PORT`. It stays the same when the server is restarted.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate, in PEM, that vouches for the API server's.
    pub fn ca_pem(&self) -> &str {
        &self.certificates.ca_pem
    }

    /// The administrator's token, which may do everything.
    pub fn token(&self) -> &str {
        &self.users[0].token
    }

    /// The directory with the logs (`kube-apiserver.log` and so on) and everything else; it goes with the control plane.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join(kubeconfig_name(&self.users, ADMIN))
    }

    /// The kubeconfig file of a user that was given to the builder.
    pub fn kubeconfig_of(&self, user: &str) -> Result<PathBuf, ControlPlaneError> {
        let user = self.user(user)?;
        Ok(self.directory.join(kubeconfig_name(&self.users, &user.name)))
    }

    /// What a client of the administrator is made from.
    pub fn client_config(&self) -> Result<kube::Config, ControlPlaneError> {
        self.client_config_of(ADMIN)
    }

    /// What a client of a user that was given to the builder is made from.
    pub fn client_config_of(&self, user: &str) -> Result<kube::Config, ControlPlaneError> {
        let user = self.user(user)?;
        let url = self.url();
        let uri = url.parse().map_err(|error: http::uri::InvalidUri| kube::Error::HttpError(error.into()))?;
        let mut config = kube::Config::new(uri);
        config.root_cert = Some(vec![self.certificates.ca_der.clone()]);
        config.auth_info.token = Some(user.token.clone().into());
        Ok(config)
    }

    /// The ids of the processes of the control plane.
    pub fn process_ids(&self) -> Vec<u32> {
        self.group.ids()
    }

    /// Kills the API server, as a crash would: connections break, requests in flight may or may not have landed, and
    /// new ones are refused until [`start_api`](Self::start_api). What it has stored is kept.
    pub fn stop_api(&mut self) {
        self.group.kill("kube-apiserver");
    }

    /// Starts the API server again after [`stop_api`](Self::stop_api), at the same address, and waits until it is ready.
    pub async fn start_api(&mut self) -> Result<(), ControlPlaneError> {
        if self.group.runs("kube-apiserver") {
            return Err(ControlPlaneError::AlreadyRunning { program: "kube-apiserver" });
        }
        self.spawn_api()?;
        self.wait_for_api(Instant::now() + self.deadline).await
    }

    /// Kills etcd, as a crash would: the API server goes on, and can neither read nor write until
    /// [`start_etcd`](Self::start_etcd). What was stored is kept.
    pub fn stop_etcd(&mut self) {
        self.group.kill("etcd");
    }

    /// Starts etcd again after [`stop_etcd`](Self::stop_etcd), and waits until the API server is ready, if that runs.
    pub async fn start_etcd(&mut self) -> Result<(), ControlPlaneError> {
        if self.group.runs("etcd") {
            return Err(ControlPlaneError::AlreadyRunning { program: "etcd" });
        }
        self.start_storage()?;
        if self.group.runs("kube-apiserver") {
            self.wait_for_api(Instant::now() + self.deadline).await?;
        }
        Ok(())
    }

    fn user(&self, name: &str) -> Result<&User, ControlPlaneError> {
        let unknown = || ControlPlaneError::UnknownUser { user: name.to_owned() };
        self.users.iter().find(|user| user.name == name).ok_or_else(unknown)
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ControlPlaneError> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(ControlPlaneError::io(&path))
    }

    fn start_storage(&mut self) -> Result<(), ControlPlaneError> {
        let arguments = [
            "--data-dir=etcd".to_owned(),
            // Sockets in the directory, which only we may look into: etcd asks nobody for a password.
            format!("--listen-client-urls={ETCD}"),
            "--listen-peer-urls=unix://etcd-peer.sock".to_owned(),
            // Told to other members, of which there are none; it must look like an address.
            "--advertise-client-urls=http://localhost:2379".to_owned(),
            // What is lost in a power failure is not missed here.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.group.spawn("etcd", &self.binaries.path("etcd"), &arguments)
    }

    fn spawn_api(&mut self) -> Result<(), ControlPlaneError> {
        let files = &self.certificates;
        let mut arguments = vec![
            format!("--etcd-servers={ETCD}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            // The address of the API server inside the cluster, which nobody uses here, may not be a loopback one.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--secure-port={}", self.port),
            format!("--tls-cert-file={}", files.server.display()),
            format!("--tls-private-key-file={}", files.server_key.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", files.accounts_public.display()),
            format!("--service-account-signing-key-file={}", files.accounts_key.display()),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            // Pods here have no use for the credentials of an account, and need not wait for one; a new Node is not
            // tainted, because the controller that takes the taint away does not run.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--allow-privileged".to_owned(),
        ];
        arguments.extend(self.api_arguments.iter().cloned());
        self.group.spawn("kube-apiserver", &self.binaries.path("kube-apiserver"), &arguments)
    }

    async fn wait_for_api(&mut self, until: Instant) -> Result<(), ControlPlaneError> {
        let api = Api::new(self.client_config()?)?;
        self.wait(until, "the API server", "kube-apiserver", || api.serves()).await
    }

    async fn start_controllers(&mut self, until: Instant) -> Result<(), ControlPlaneError> {
        let api = Api::new(self.client_config()?)?;
        self.wait(until, "the Node object", "kube-apiserver", || api.create_node()).await?;
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        // Controllers slow themselves down for the sake of big clusters.
        let eager =
            ["--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false", "--secure-port=0"];
        let eager = eager.iter().map(|&it| it.to_owned()).chain([kubeconfig.clone()]);
        let accounts = [
            // A machine that stands still for a minute would have its Pods evicted.
            "--controllers=*,-node-lifecycle-controller".to_owned(),
            format!("--service-account-private-key-file={}", self.certificates.accounts_key.display()),
            format!("--root-ca-file={}", self.certificates.ca.display()),
        ];
        for (program, arguments) in [
            ("kube-controller-manager", eager.clone().chain(accounts).collect::<Vec<_>>()),
            ("kube-scheduler", eager.collect()),
            (
                "kwok",
                vec![
                    kubeconfig,
                    format!("--config={}", self.binaries.path("kwok-stages.yaml").display()),
                    "--manage-all-nodes".to_owned(),
                    "--node-ip=127.0.0.1".to_owned(),
                    "--node-lease-duration-seconds=40".to_owned(),
                ],
            ),
        ] {
            self.group.spawn(program, &self.binaries.path(program), &arguments)?;
        }
        self.wait(until, "the Node", "kwok", || api.has_node()).await?;
        self.wait(until, "the default service account", "kube-controller-manager", || api.has_account()).await
    }

    /// Asks until the answer is good, a process ends, or the time is over.
    async fn wait<A: Future<Output = Result<(), String>>>(
        &mut self,
        until: Instant,
        what: &'static str,
        program: &'static str,
        ask: impl Fn() -> A,
    ) -> Result<(), ControlPlaneError> {
        let start = Instant::now();
        loop {
            let answer = ask().await;
            if let Some((program, status)) = self.group.ended() {
                return Err(ControlPlaneError::Exited { program, status, log: self.log(program) });
            }
            let Err(last) = answer else { return Ok(()) };
            if Instant::now() >= until {
                let (waited, log) = (start.elapsed(), self.log(program));
                return Err(ControlPlaneError::NotReady { what, waited, last, program, log });
            }
            sleep(PAUSE).await;
        }
    }

    /// The end of a program's log, without tokens.
    fn log(&self, program: &str) -> String {
        let log = self.group.log_tail(program);
        self.users.iter().fold(log, |log, user| log.replace(&user.token, "[token]"))
    }
}

/// The file of a user, by its place, since names may hold anything.
fn kubeconfig_name(users: &[User], name: &str) -> String {
    match users.iter().position(|user| user.name == name).unwrap_or_default() {
        0 => "kubeconfig".to_owned(),
        place => format!("kubeconfig-{place}"),
    }
}

/// A directory that only we may look into: it holds tokens and keys.
fn make_directory() -> Result<TempDir, ControlPlaneError> {
    let parent = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix("gitops-controlplane-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .map_err(ControlPlaneError::io(parent))
}

/// A port that nobody listens on now, below those that systems give to outgoing connections, so that it is still free
/// when the API server comes back. Somebody may take it before we do: then the program ends and says so.
fn free_port() -> Result<u16, ControlPlaneError> {
    let mut last = None;
    for _ in 0..100 {
        let random = getrandom::u32().map_err(ControlPlaneError::Random)?;
        let port = 20_000 + u16::try_from(random % 12_000).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(ControlPlaneError::Port(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())))
}
