//! Several servers that share a store.

use super::{
    port::Port,
    process::{Running, Serve},
    redis::Redis,
};

pub(crate) struct Cluster {
    pub(crate) redis: Redis,
    pub(crate) nodes: Vec<Serve>,
    ports: Vec<Port>,
    more: Vec<String>,
}

impl Cluster {
    /// Starts `count` servers with these flags. Returns `None` if redis-server is not installed.
    pub(crate) async fn start(count: usize, more: &[&str]) -> Option<Self> {
        Self::on(Redis::start()?, count, more).await
    }

    /// Starts `count` servers on this store.
    pub(crate) async fn on(redis: Redis, count: usize, more: &[&str]) -> Option<Self> {
        let mut cluster = Self {
            redis,
            nodes: Vec::new(),
            ports: (0..count).map(|_| Port::keep()).collect(),
            more: more.iter().map(|it| (*it).to_owned()).collect(),
        };
        for index in 0..count {
            let node = cluster.serve(index).await;
            cluster.nodes.push(node);
        }
        Some(cluster)
    }

    async fn serve(&self, index: usize) -> Serve {
        let listen = self.ports[index].address.to_string();
        let store = self.redis.url();
        let mut args = vec!["serve", "--listen", &listen, "--store", &store];
        args.extend(self.more.iter().map(String::as_str));
        Serve::of(Running::codechat(args)).await
    }

    /// Kills a server and starts another one in its place.
    pub(crate) async fn replace(&mut self, index: usize) {
        let killed = self.nodes.remove(index).process;
        killed.signal("KILL").await;
        assert_eq!(killed.end().await.code, None);
        let node = self.serve(index).await;
        self.nodes.insert(index, node);
    }
}
