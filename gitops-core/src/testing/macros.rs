//! What makes a test of each clause.

/// Fails the clause that is being checked, unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::testing::Failure::violated(format!($($seen)+)));
        }
    };
}

/// The table of a suite, from its list of clauses.
macro_rules! table {
    ($harness:path; $($module:ident $needs:ident $name:ident $what:literal;)*) => {
        static CLAUSES: &[$crate::testing::Clause<dyn $harness>] = &[$(
            $crate::testing::Clause::new(stringify!($name), $what, stringify!($needs), |harness| {
                Box::pin($module::$name(harness))
            }),
        )*];
    };
}

/// One test for each clause of the contract of [`Target`](crate::Target), by its name; see [`crate::testing`].
///
/// First an expression (`.await` is allowed in it) that makes a
/// [`TargetHarness`](crate::testing::target::TargetHarness) that nothing was done with yet; then, where there are any,
/// attributes that each test gets, and the abilities that are not there, each with the reason. Call it in a module of
/// its own.
///
/// ```ignore
/// gitops_core::target_contract! {
///     Zone::new().await;
///     attributes { #[ignore = "needs a DNS server"] }
///     not_applicable { watch: "the server tells nobody of changes" }
/// }
/// ```
#[macro_export]
macro_rules! target_contract {
    (
        $harness:expr;
        attributes { $($attribute:tt)* }
        not_applicable { $($ability:ident: $why:literal),* $(,)? }
    ) => {
        $crate::__target_clauses! {
            [$crate::__contract_tests] target [$($attribute)*] [$harness] [$($ability: $why,)*]
        }
        $($crate::__contract_ability! { $ability })*
    };
    ($harness:expr; attributes { $($attribute:tt)* }) => {
        $crate::target_contract! { $harness; attributes { $($attribute)* } not_applicable {} }
    };
    ($harness:expr; not_applicable { $($lacks:tt)* }) => {
        $crate::target_contract! { $harness; attributes {} not_applicable { $($lacks)* } }
    };
    ($harness:expr) => {
        $crate::target_contract! { $harness; attributes {} not_applicable {} }
    };
}

/// One test for each clause of the contract of [`Source`](crate::Source) and [`Snapshot`](crate::Snapshot), by its name.
///
/// It takes what [`target_contract!`](crate::target_contract) takes, with a
/// [`SourceHarness`](crate::testing::source::SourceHarness).
#[macro_export]
macro_rules! source_contract {
    (
        $harness:expr;
        attributes { $($attribute:tt)* }
        not_applicable { $($ability:ident: $why:literal),* $(,)? }
    ) => {
        $crate::__source_clauses! {
            [$crate::__contract_tests] source [$($attribute)*] [$harness] [$($ability: $why,)*]
        }
        $($crate::__contract_ability! { $ability })*
    };
    ($harness:expr; attributes { $($attribute:tt)* }) => {
        $crate::source_contract! { $harness; attributes { $($attribute)* } not_applicable {} }
    };
    ($harness:expr; not_applicable { $($lacks:tt)* }) => {
        $crate::source_contract! { $harness; attributes {} not_applicable { $($lacks)* } }
    };
    ($harness:expr) => {
        $crate::source_contract! { $harness; attributes {} not_applicable {} }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests {
    (
        $suite:ident $attributes:tt $harness:tt $lacks:tt;
        $($module:ident $needs:ident $name:ident $what:literal;)*
    ) => {
        $($crate::__contract_test! { $suite $attributes $harness $name $needs $lacks })*
    };
}

/// Looks for the ability that a clause needs among those that are not there.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_test {
    ($s:ident $a:tt $h:tt $n:ident watch [watch: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident gaps [gaps: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident unreadable [unreadable: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident refusals [refusals: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident lost_answers [lost_answers: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident silence [silence: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident counting [counting: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident secrets [secrets: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident fields [fields: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident requirements [requirements: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident admission [admission: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident holding [holding: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident keeping [keeping: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident references [references: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident provenance [provenance: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident rewriting [rewriting: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident credentials [credentials: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident links [links: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident hints [hints: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_not_applicable! { $s $h $n $why }
    };
    ($s:ident $a:tt $h:tt $n:ident $needs:ident [$other:ident: $why:literal, $($rest:tt)*]) => {
        $crate::__contract_test! { $s $a $h $n $needs [$($rest)*] }
    };
    ($s:ident [$($attribute:tt)*] [$harness:expr] $n:ident $needs:ident []) => {
        #[test]
        $($attribute)*
        fn $n() {
            $crate::testing::block_on(async {
                $crate::testing::$s::assert(stringify!($n), &$harness).await;
            });
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_not_applicable {
    ($s:ident [$harness:expr] $n:ident $why:literal) => {
        mod $n {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            #[ignore = $why]
            fn not_applicable() {
                $crate::testing::block_on(async {
                    $crate::testing::$s::assert_not_applicable(stringify!($n), &$harness).await;
                });
            }
        }
    };
}

/// Refuses the names of abilities that no suite knows.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_ability {
    (watch) => {};
    (gaps) => {};
    (unreadable) => {};
    (refusals) => {};
    (lost_answers) => {};
    (silence) => {};
    (counting) => {};
    (secrets) => {};
    (fields) => {};
    (requirements) => {};
    (admission) => {};
    (holding) => {};
    (keeping) => {};
    (references) => {};
    (provenance) => {};
    (rewriting) => {};
    (credentials) => {};
    (links) => {};
    (hints) => {};
}
