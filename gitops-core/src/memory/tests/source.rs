use super::*;
use crate::{RefSpec, Source as _};

#[tokio::test]
async fn what_is_forgotten_cannot_be_fetched_and_the_rest_goes_on() {
    let source = MemorySource::new("config");
    let commit = |n: usize| source.commit("Ada", "same", [("a", Some(n.to_string().as_str()))]).unwrap();
    let made: Vec<_> = (0..5).map(commit).collect();
    source.forget(2);
    for (revision, is_there) in made.iter().zip([false, false, false, true, true]) {
        assert_eq!(source.fetch(&cx(), revision).await.is_ok(), is_there, "{revision}");
    }
    assert_eq!(source.resolve(&cx(), &RefSpec::Default).await.unwrap(), made[4]);
    // The next ones are others than those that are gone, and the head stays however old it is.
    let next = commit(5);
    assert!(!made.contains(&next));
    source.reset(Some(&made[4].id));
    source.forget(0);
    assert!(source.fetch(&cx(), &made[4]).await.is_ok());
    assert!(source.fetch(&cx(), &next).await.is_err());
}
