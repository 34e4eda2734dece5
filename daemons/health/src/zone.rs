//! A zone of what serves: answers to questions of DNS, made of the view at hand.
//!
//! | name | has |
//! |---|---|
//! | `GROUP.ZONE` | A and AAAA of the targets that clients should be sent to |
//! | `_rpc._tcp.GROUP.ZONE` | SRV of them, with ports and weights |
//! | `TARGET.ZONE` | A or AAAA of a target that serves |
//!
//! Resolvers keep answers for the zone's time to live, and what is empty for as long: a group that nobody serves is an empty
//! answer, and no unknown name.

use crate::view::{TargetView, View};
use hickory_proto::op::{Edns, Message, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Largest datagram, either way: what fits through every network. Longer answers are told to ask over TCP.
pub(crate) const DATAGRAM_BYTES_MAX: u16 = 1_232;
/// Names of the service that SRV records are about.
pub(crate) const SERVICE: [&str; 2] = ["_rpc", "_tcp"];
/// Times of the SOA record, in seconds: nobody copies the zone.
const REFRESH_S: i32 = 3_600;
const EXPIRE_S: i32 = 86_400;

/// Zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Name.
    pub name: Name,
    /// Time for which answers may be kept.
    pub ttl_s: u32,
}

impl Zone {
    /// Answer to a question.
    #[must_use]
    pub fn answer(&self, asked: &Message, view: &View) -> Message {
        let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
        answer.metadata = Metadata::response_from_request(&asked.metadata);
        answer.add_queries(asked.queries.iter().cloned());
        let code = match asked.queries.as_slice() {
            // Later versions may mean something else by the question.
            _ if asked.edns.as_ref().is_some_and(|edns| edns.version() > 0) => ResponseCode::BADVERS,
            _ if asked.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
            [query] if query.query_class == DNSClass::IN && self.name.zone_of(&query.name) => {
                answer.metadata.authoritative = true;
                match self.records(&query.name, view) {
                    Some(records) => {
                        let kind = query.query_type;
                        let fits = |record: &Record| kind == RecordType::ANY || record.record_type() == kind;
                        let mut records: Vec<Record> = records.into_iter().filter(fits).collect();
                        // Many clients take the first: each gets another one.
                        let first = usize::from(asked.metadata.id).checked_rem(records.len()).unwrap_or(0);
                        records.rotate_left(first);
                        answer.add_answers(records);
                        ResponseCode::NoError
                    }
                    None => ResponseCode::NXDomain,
                }
            }
            [_] => ResponseCode::Refused,
            _ => ResponseCode::FormErr,
        };
        answer.metadata.response_code = code;
        if asked.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM_BYTES_MAX);
            answer.set_edns(edns);
        }
        if answer.metadata.authoritative && answer.answers.is_empty() {
            answer.add_authority(self.soa());
        }
        answer
    }

    /// Records of a name of the zone; `None` where there is no such name.
    fn records(&self, name: &Name, view: &View) -> Option<Vec<Record>> {
        let depth = usize::from(name.num_labels().saturating_sub(self.name.num_labels()));
        let labels: Vec<String> =
            name.iter().take(depth).map(|label| String::from_utf8_lossy(label).to_lowercase()).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        match labels.as_slice() {
            [] => Some(vec![self.soa()]),
            [one] => {
                if let Some(group) = view.groups.iter().find(|group| group.name.eq_ignore_ascii_case(one)) {
                    // Of several targets on one machine, whose ports only SRV tells, one record.
                    let addresses = view.pool(&group.name).filter_map(|target| Some(target.serves?.ip()));
                    let addresses: BTreeSet<IpAddr> = addresses.collect();
                    return Some(addresses.into_iter().map(|address| self.address(name, address)).collect());
                }
                let target = view.targets.iter().find(|target| target.name.eq_ignore_ascii_case(one))?;
                let address = target.serves.filter(|_| target.verdict.serves());
                Some(address.map(|address| self.address(name, address.ip())).into_iter().collect())
            }
            [service, protocol, one] if [*service, *protocol] == SERVICE => {
                let group = view.groups.iter().find(|group| group.name.eq_ignore_ascii_case(one))?;
                Some(view.pool(&group.name).filter_map(|target| self.service(name, target)).collect())
            }
            // What stands above a name that there is.
            [protocol, one] if *protocol == SERVICE[1] => {
                view.groups.iter().any(|group| group.name.eq_ignore_ascii_case(one)).then(Vec::new)
            }
            _ => None,
        }
    }

    fn address(&self, name: &Name, address: IpAddr) -> Record {
        let data = match address {
            IpAddr::V4(ip) => RData::A(ip.into()),
            IpAddr::V6(ip) => RData::AAAA(ip.into()),
        };
        Record::from_rdata(name.clone(), self.ttl_s, data)
    }

    fn service(&self, name: &Name, target: &Arc<TargetView>) -> Option<Record> {
        let port = target.serves?.port();
        let host = self.name.prepend_label(target.name.as_str()).ok()?;
        let weight = u16::try_from(target.weight_percent).unwrap_or(u16::MAX);
        Some(Record::from_rdata(name.clone(), self.ttl_s, RData::SRV(SRV::new(0, weight, port, host))))
    }

    /// Start of authority: for how long an empty answer may be kept.
    fn soa(&self) -> Record {
        let server = self.name.prepend_label("ns").unwrap_or_else(|_| self.name.clone());
        let person = self.name.prepend_label("hostmaster").unwrap_or_else(|_| self.name.clone());
        let soa = SOA::new(server, person, 1, REFRESH_S, REFRESH_S, EXPIRE_S, self.ttl_s);
        Record::from_rdata(self.name.clone(), self.ttl_s, RData::SOA(soa))
    }
}

#[cfg(test)]
mod tests;
