//! The two ends of a connection, from the fields that speak of them.

use std::net::{IpAddr, Ipv4Addr};

use event::sock::{AF_INET, AF_INET6, AF_UNIX, Endpoint};

use super::spec::{EventSpec, Read};

/// What a socket is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Who asked, and who was asked.
    Inet {
        /// Who asked.
        client: Endpoint,
        /// Who was asked.
        server: Endpoint,
    },
    /// A path.
    Unix(Vec<u8>),
}

const CLIENT: [&str; 2] = ["fd.cip", "fd.cport"];
const SERVER: [&str; 2] = ["fd.sip", "fd.sport"];
const LOCAL: [&str; 2] = ["fd.lip", "fd.lport"];
const REMOTE: [&str; 2] = ["fd.rip", "fd.rport"];

impl Ends {
    /// The ends that an event speaks of, if it does. `accepts`: the local end was asked.
    pub(super) fn of(spec: &EventSpec, accepts: bool) -> Read<Option<Self>> {
        let kind = spec.text(&["fd.type"]).unwrap_or_default();
        let name = spec.text(&["fd.name", "fd.nameraw"]);
        if let Some(name) = &name {
            if let Some((from, to)) = name.split_once("->")
                && let (Some(client), Some(server)) = (endpoint(from), endpoint(to))
            {
                return Ok(Some(Self::Inet { client, server }));
            }
            if kind == "unix" || spec.text(&["fd.typechar"]).as_deref() == Some("u") {
                return Ok(Some(Self::Unix(name.clone().into_bytes())));
            }
            if let Some(server) = endpoint(name) {
                return Ok(Some(Self::Inet {
                    client: any(server.ip),
                    server,
                }));
            }
        }
        let client = if accepts { REMOTE } else { LOCAL };
        let server = if accepts { LOCAL } else { REMOTE };
        let spoken = [CLIENT, SERVER, LOCAL, REMOTE].concat();
        let spoken = spoken.iter().any(|field| spec.given(field).is_some());
        let network = [
            "fd.ip", "fd.net", "fd.port", "fd.snet", "fd.cnet", "fd.rnet", "fd.lnet",
        ];
        let loose = network.iter().any(|field| spec.given(field).is_some());
        if !spoken && !loose && !kind.starts_with("ip") {
            return Ok(None);
        }
        let v6 = kind == "ipv6";
        let loose_ip = ["fd.ip", "fd.net", "fd.snet", "fd.rnet"];
        Ok(Some(Self::Inet {
            client: part(
                spec,
                &[CLIENT, client],
                &["fd.cnet", "fd.lnet"],
                "",
                v6,
                40_002,
            )?,
            server: part(spec, &[SERVER, server], &loose_ip, "fd.port", v6, 443)?,
        }))
    }

    /// The bytes of a parameter that holds both.
    pub(super) fn tuple(&self) -> Vec<u8> {
        match self {
            Self::Inet { client, server } => {
                let mut out = vec![family(client.ip)];
                push(&mut out, *client);
                push(&mut out, *server);
                out
            }
            Self::Unix(path) => {
                let mut out = vec![AF_UNIX];
                out.extend_from_slice(&0xffff_8880_0000_0100_u64.to_le_bytes());
                out.extend_from_slice(&0xffff_8880_0000_0200_u64.to_le_bytes());
                out.extend_from_slice(path);
                out.push(0);
                out
            }
        }
    }

    /// The bytes of a parameter that holds the end which is asked.
    pub(super) fn address(&self) -> Vec<u8> {
        match self {
            Self::Inet { server, .. } => {
                let mut out = vec![family(server.ip)];
                push(&mut out, *server);
                out
            }
            Self::Unix(path) => [&[AF_UNIX], path.as_slice(), b"\0"].concat(),
        }
    }

    /// The family as a socket is made with.
    pub(super) fn domain(&self) -> u8 {
        match self {
            Self::Inet { client, .. } => family(client.ip),
            Self::Unix(_) => AF_UNIX,
        }
    }
}

fn part(
    spec: &EventSpec,
    names: &[[&str; 2]],
    networks: &[&str],
    loose_port: &str,
    v6: bool,
    default_port: u16,
) -> Read<Endpoint> {
    let mut end = Endpoint {
        ip: if v6 {
            IpAddr::from([
                0x2001,
                0xdb8,
                0,
                0,
                0,
                0,
                0,
                u16::from(default_port == 443) + 1,
            ])
        } else {
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, u8::from(default_port == 443) + 1))
        },
        port: default_port,
    };
    let mut ips = names
        .iter()
        .map(|[ip, _]| *ip)
        .chain(networks.iter().copied());
    if let Some(given) = ips.find_map(|name| spec.given(name)) {
        let text = given.text().unwrap_or_default();
        let address = text.split('/').next().unwrap_or_default();
        end.ip = match address.parse() {
            Ok(ip) => ip,
            Err(_) => return Err(given.fault(format!("`{text}` is no address"))),
        };
    }
    let mut ports = names.iter().map(|[_, port]| *port).chain([loose_port]);
    if let Some(given) = ports.find_map(|name| spec.given(name)) {
        let text = given.text().unwrap_or_default();
        end.port = match text.parse() {
            Ok(port) => port,
            Err(_) => return Err(given.fault(format!("`{text}` is no port"))),
        };
    }
    Ok(end)
}

/// `10.0.0.1:80`, `::1:80`
fn endpoint(text: &str) -> Option<Endpoint> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip = ip
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()?;
    Some(Endpoint {
        ip,
        port: port.parse().ok()?,
    })
}

fn any(like: IpAddr) -> Endpoint {
    let ip = if like.is_ipv4() {
        IpAddr::from([192, 0, 2, 1])
    } else {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])
    };
    Endpoint { ip, port: 40_002 }
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn push(out: &mut Vec<u8>, end: Endpoint) {
    match end.ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&end.port.to_le_bytes());
}
