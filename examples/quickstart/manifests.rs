//! A shop, as its team would write it.

/// Where the application's manifests are in the repository.
pub(crate) const PATH: &str = "apps/shop";

pub(crate) const README: &str =
    "The shop. Everything in this directory is deployed to the namespace `shop`.\n";

pub(crate) const BASE: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
type: Opaque
stringData:
  username: shop
  password: correct horse battery staple
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: shop
data:
  LOG_LEVEL: info
  CURRENCY: EUR
";

pub(crate) const DEBUG: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: debug
  namespace: shop
data:
  TRACE: \"true\"
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
      targetPort: 8080
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: registry.example/web:VERSION
          envFrom:
            - configMapRef:
                name: web
          env:
            - name: DB_PASSWORD
              valueFrom:
                secretKeyRef:
                  name: db
                  key: password
          ports:
            - containerPort: 8080
          resources:
            requests:
              cpu: 1000m
              memory: 0.5Gi
";

/// The web server: a Service and a Deployment.
pub(crate) fn web(version: &str) -> String {
    format!("{SERVICE}---\n{}", DEPLOYMENT.replace("VERSION", version))
}

/// An edit gone wrong: the Service is missing, and a new line of the Deployment has no colon.
pub(crate) fn broken(version: &str) -> String {
    let deployment =
        DEPLOYMENT.replace("VERSION", version).replace("replicas: 3\n", "replicas: 3\n  minReadySeconds 5\n");
    format!("# The Service is not needed any more.\n---\n{deployment}")
}
