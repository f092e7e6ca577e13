//! A GitOps source over Git: cheap polling, an incremental mirror, reading trees without a checkout.
