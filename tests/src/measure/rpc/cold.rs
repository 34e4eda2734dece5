//! The same for what nobody asked for before: each request is made once, to servers that were started for it.
//!
//! Both have their pages read from the disk again, where this process may drop the kernel's cache; what they keep in
//! memory of a start is theirs to keep.

use std::{fs, path::Path};

use super::{
    pair::{differing, servers},
    requests::Row,
};
use crate::{failure::Outcome, interrupt::Interrupt, scenario::Net};

/// Prints a line for each row whose name has `wanted` in it, plain and with gzip.
pub(in crate::measure) fn run(
    net: &mut Net,
    chain: &Path,
    rows: &[Row],
    wanted: &str,
    stop: &Interrupt,
) -> Outcome<()> {
    let dropped = drop_pages();
    println!(
        "  each request once, after a start of both; page cache {}",
        if dropped { "dropped" } else { "kept" }
    );
    println!("  {:<38} {:>19} {:>6} {:>9}", "", "CPU us", "ratio", "requests");
    for row in rows.iter().filter(|row| row.name.contains(wanted)) {
        for gzip in [false, true] {
            if stop.raised() {
                return Ok(());
            }
            restart(net, chain)?;
            let (geth, replica) = servers(net)?;
            let (left, right) = (geth.once(&row.bodies, gzip)?, replica.once(&row.bodies, gzip)?);
            // Afterwards: to compare is to ask.
            if let Some(problem) = differing(&geth, &replica, row)? {
                println!("  {:<38} not measured: {problem}", row.name);
                continue;
            }
            let name = if gzip { format!("{}, gzip", row.name) } else { row.name.clone() };
            let (ratio, asked) = (left / right, row.bodies.len());
            println!("  {name:<38} {left:>9.0} {right:>9.0} {ratio:>6.1} {asked:>9}");
        }
    }
    Ok(())
}

/// Starts both anew, with what they kept in memory gone.
fn restart(net: &mut Net, chain: &Path) -> Outcome<()> {
    net.replica_daemon(0)?.stop()?;
    net.node().stop()?;
    let _ = drop_pages();
    net.node().restart()?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    net.replica_daemon(0)?.start()?;
    net.caught_up(0).map(drop)
}

/// Drops the kernel's cache of files; false where this process may not.
pub(in crate::measure) fn drop_pages() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}
