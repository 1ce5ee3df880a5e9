//! A real terminal with a program in it, and what its screen shows.

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::{Arc, Mutex},
};

use portable_pty::{Child, ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::watch;

use super::soon;

/// A terminal of 24 lines. The program in it is killed where a test gives up.
pub(crate) struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    changed: watch::Receiver<()>,
    child: Option<Box<dyn Child + Send + Sync>>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    keys: Box<dyn Write + Send>,
    /// Closing it would hang up.
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// A program with nothing but PATH and TERM in its environment.
    pub(crate) fn start(words: &[&str], columns: u16) -> Self {
        let size = PtySize {
            rows: 24,
            cols: columns,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(words[0]);
        command.args(&words[1..]);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.cwd(env!("CARGO_TARGET_TMPDIR"));
        let child = pair.slave.spawn_command(command).unwrap();
        let one_or_more = |it| NonZero::new(it).expect("a terminal has a size");
        let parser = vt100::Parser::new(one_or_more(size.rows), one_or_more(size.cols), 0);
        let screen = Arc::new(Mutex::new(parser));
        let (change, changed) = watch::channel(());
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It ends with an error where the last program in the terminal has ended.
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().process(&buffer[..read]);
                change.send_replace(());
            }
        });
        Self {
            screen,
            changed,
            killer: child.clone_killer(),
            child: Some(child),
            keys: pair.master.take_writer().unwrap(),
            _master: pair.master,
        }
    }

    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as wanted.
    pub(crate) async fn shows(&mut self, wanted: impl Fn(&str) -> bool) {
        let waiting = async {
            // What ends the changes may have been the wanted one.
            while !wanted(&self.screen()) && self.changed.changed().await.is_ok() {}
        };
        let result = tokio::time::timeout(super::PATIENCE, waiting).await;
        let screen = self.screen();
        assert!(result.is_ok() && wanted(&screen), "it shows\n{screen}");
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the program's end: its exit code, and what is left on the screen.
    pub(crate) async fn end(mut self) -> (u32, String) {
        // The output ends when nothing has the terminal open any more.
        soon(async { while self.changed.changed().await.is_ok() {} }).await;
        let mut child = self.child.take().expect("it ends once");
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        (soon(waiting).await.unwrap().exit_code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.killer.kill();
    }
}
