//! The macros that read the rows of the registry. `protocols!` is called once, in `protocol/mod.rs`; the others are its
//! parts: `way!` describes a way, `step!` and what it calls make it a condition in a dispatch function.

/// Makes `PROTOCOLS` and the dispatch of all layers from the rows.
macro_rules! protocols {
    ($($folder:ident::$name:ident [$($family:ident)*] {
        $($layer:ident $($how:ident $args:tt)* => $f:ident;)+
    })+) => {
        /// Every protocol, in the order of precedence.
        pub const PROTOCOLS: &[Protocol] = &[$(Protocol {
            name: stringify!($name),
            families: &[$(Family::$family),*],
            ways: &[$(way!($f $folder::$name::$f; $layer $($how $args)*)),+],
        }),+];

        /// The ports that lead to a protocol. Most packets have none of them.
        static UDP: Gates = Gates::of(
            PROTOCOLS,
            &[Layer::Udp, Layer::IndustryUdp, Layer::MakerUdp],
            &crate::dissect::act::UDP_WAYS,
        );
        static TCP: Gates = Gates::of(
            PROTOCOLS,
            &[Layer::Tcp, Layer::IndustryTcp, Layer::MakerTcp],
            &crate::dissect::act::TCP_WAYS,
        );

        /// Whether something may be said of a datagram because of its ports; `None` if they lead nowhere.
        #[inline]
        pub(super) fn may_datagram_speak(from: u16, to: u16, payload: &[u8]) -> Option<bool> {
            UDP.ask(from, to, payload)
        }

        /// Whether something may be said of a segment because of its ports.
        #[inline]
        pub(super) fn may_segment_speak(from: u16, to: u16, payload: &[u8]) -> bool {
            TCP.ask(from, to, payload) == Some(true)
        }

        /// Whether a segment between any ports may be read that starts so.
        #[inline]
        pub(super) fn begins(start: &[u8; 4]) -> bool {
            $($(step!(begin (start); $layer $($how $args)*);)+)+
            false
        }

        /// Whether a datagram between any ports is read.
        #[inline]
        pub(super) fn is_found(payload: &[u8]) -> bool {
            $($(step!(find (payload $folder $name); $layer $($how $args)*);)+)+
            false
        }

        /// Frames by their Ethernet type.
        pub(super) fn over_ethernet(
            ethertype: u16,
            p: Payload<'_>,
            to: &mut impl Route,
        ) -> Result<(), Malformed> {
            $($(step!(ethertype (p ethertype to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }

        /// IEEE 802.2 frames with unnumbered information, by their service access point.
        pub(super) fn over_llc(sap: u8, p: Payload<'_>, to: &mut impl Route) -> Result<(), Malformed> {
            $($(step!(llc (p sap to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }

        /// SNAP frames by organisation and protocol.
        pub(super) fn over_snap(
            kind: (u32, u16),
            p: Payload<'_>,
            to: &mut impl Route,
        ) -> Result<(), Malformed> {
            $($(step!(snap (p kind to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }

        /// What a packet to a group tells of the station that sent it, by the protocol number.
        pub(super) fn over_ip(
            number: u8,
            packet: &Packet<'_>,
            p: Payload<'_>,
            to: &mut impl Route,
        ) -> Result<(), Malformed> {
            $($(step!(ip (p number packet to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }

        /// What a datagram to a group tells of the station that sent it; `None` for ports of other protocols.
        pub(super) fn to_group(
            packet: &Packet<'_>,
            p: Payload<'_>,
            to: &mut impl Route,
        ) -> Option<Result<(), Malformed>> {
            $($(step!(group (p packet to $folder $name $f); $layer $($how $args)*);)+)+
            None
        }

        #[expect(clippy::manual_range_patterns, reason = "the registry lists each port")]
        /// What a UDP payload tells of its sender. On the path of every packet: an uninteresting one costs comparisons.
        pub(super) fn datagram(p: Payload<'_>, to: &mut impl Route) -> Result<(), Malformed> {
            let is_known = UDP.has(p.source_port, p.destination_port);
            if is_known {
                $($(step!(udp all (p p to $folder $name $f); $layer $($how $args)*);)+)+
            }
            $($(step!(udp found (p p to $folder $name $f); $layer $($how $args)*);)+)+
            if is_known {
                industry_datagram(p, to)?;
                $($(step!(maker_udp from (p p to $folder $name $f); $layer $($how $args)*);)+)+
                $($(step!(maker_udp to (p p to $folder $name $f); $layer $($how $args)*);)+)+
                $($(step!(maker_udp otherwise (p p to $folder $name $f); $layer $($how $args)*);)+)+
            }
            Ok(())
        }

        #[expect(clippy::manual_range_patterns, reason = "the registry lists each port")]
        fn industry_datagram(p: Payload<'_>, to: &mut impl Route) -> Result<(), Malformed> {
            $($(step!(industry_udp from (p p to $folder $name $f); $layer $($how $args)*);)+)+
            $($(step!(industry_udp to (p p to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }

        #[expect(clippy::manual_range_patterns, reason = "the registry lists each port")]
        /// What a TCP payload tells of its sender if it begins a message; bulk data says nothing.
        pub(super) fn stream(p: Payload<'_>, to: &mut impl Route) -> Result<(), Malformed> {
            let Some(start) = p.bytes.first_chunk::<4>() else { return Ok(()) };
            $($(step!(tcp starts (p start to $folder $name $f); $layer $($how $args)*);)+)+
            let is_known = TCP.has(p.source_port, p.destination_port);
            if is_known {
                $($(step!(tcp all (p p to $folder $name $f); $layer $($how $args)*);)+)+
            }
            industry_stream(p, start, is_known, to)?;
            if is_known {
                $($(step!(maker_tcp from (p p to $folder $name $f); $layer $($how $args)*);)+)+
            }
            Ok(())
        }

        fn industry_stream(
            p: Payload<'_>,
            start: &[u8; 4],
            is_known: bool,
            to: &mut impl Route,
        ) -> Result<(), Malformed> {
            if is_known {
                $($(step!(industry_tcp from (p p to $folder $name $f); $layer $($how $args)*);)+)+
                $($(step!(industry_tcp to (p p to $folder $name $f); $layer $($how $args)*);)+)+
            }
            $($(step!(industry_tcp starts (p start to $folder $name $f); $layer $($how $args)*);)+)+
            Ok(())
        }
    };
}

/// The `Way` of a row. Here every kind of way is named, so that one that is misspelt does not compile.
macro_rules! way {
    ($n:ident $f:path; link ethertype($($k:literal)|+)) => { way!(@ $n $f, Link, $(Key::EtherType($k)),+) };
    ($n:ident $f:path; link llc($k:literal)) => { way!(@ $n $f, Link, Key::Llc($k)) };
    ($n:ident $f:path; link snap($organisation:literal, $k:literal)) => {
        way!(@ $n $f, Link, Key::Snap($organisation, $k))
    };
    ($n:ident $f:path; ip protocol($k:literal) $(when($is:ident))?) => { way!(@ $n $f, Ip, Key::Number($k)) };
    ($n:ident $f:path; group to($($k:literal)|+) $(when($is:ident))?) => { way!(@ $n $f, Group, $(Key::To($k)),+) };
    ($n:ident $f:path; udp found($is:ident)) => { way!(@ $n $f, Udp, Key::Pattern(stringify!($is))) };
    ($n:ident $f:path; udp $how:ident $k:tt speaks($may:path)) => { way!(@may way!(@ports $n $f, Udp, $how $k), $may) };
    ($n:ident $f:path; udp $how:ident $k:tt) => { way!(@ports $n $f, Udp, $how $k) };
    ($n:ident $f:path; tcp start($p:pat)) => { way!(@ $n $f, Tcp, Key::Pattern(stringify!($p))) };
    ($n:ident $f:path; tcp start($p:pat) when($is:ident)) => { way!(@ $n $f, Tcp, Key::Pattern(stringify!($p))) };
    ($n:ident $f:path; tcp start($p:pat) either($k:literal)) => { way!(@ $n $f, Tcp, Key::Pattern(stringify!($p))) };
    ($n:ident $f:path; tcp start($p:pat) to($k:literal)) => { way!(@ $n $f, Tcp, Key::Pattern(stringify!($p))) };
    ($n:ident $f:path; tcp $how:ident $k:tt speaks($may:path)) => { way!(@may way!(@ports $n $f, Tcp, $how $k), $may) };
    ($n:ident $f:path; tcp $how:ident $k:tt) => { way!(@ports $n $f, Tcp, $how $k) };
    ($n:ident $f:path; industry_udp $how:ident $k:tt) => { way!(@ports $n $f, IndustryUdp, $how $k) };
    ($n:ident $f:path; industry_tcp start($p:pat)) => { way!(@ $n $f, IndustryTcp, Key::Pattern(stringify!($p))) };
    ($n:ident $f:path; industry_tcp $how:ident $k:tt speaks($may:path)) => {
        way!(@may way!(@ports $n $f, IndustryTcp, $how $k), $may)
    };
    ($n:ident $f:path; industry_tcp $how:ident $k:tt) => { way!(@ports $n $f, IndustryTcp, $how $k) };
    ($n:ident $f:path; maker_udp otherwise($($k:literal)|+)) => { way!(@ $n $f, MakerUdp, $(Key::From($k)),+) };
    ($n:ident $f:path; maker_udp $how:ident $k:tt $(when($is:ident))?) => { way!(@ports $n $f, MakerUdp, $how $k) };
    ($n:ident $f:path; maker_tcp from $k:tt) => { way!(@ports $n $f, MakerTcp, from $k) };
    ($n:ident $f:path; inner) => { Way { layer: Layer::Inner, keys: &[], function: stringify!($n), dissect: $f, may_speak: None } };
    (@may $way:expr, $may:path) => { Way { may_speak: Some($may), ..$way } };
    (@ports $n:ident $f:path, $layer:ident, from($($k:literal)|+)) => { way!(@ $n $f, $layer, $(Key::From($k)),+) };
    (@ports $n:ident $f:path, $layer:ident, to($($k:literal)|+)) => { way!(@ $n $f, $layer, $(Key::To($k)),+) };
    (@ports $n:ident $f:path, $layer:ident, either($($k:literal)|+)) => {
        way!(@ $n $f, $layer, $(Key::From($k), Key::To($k)),+)
    };
    (@ $n:ident $f:path, $layer:ident, $($key:expr),+) => {
        Way { layer: Layer::$layer, keys: &[$($key),+], function: stringify!($n), dissect: $f, may_speak: None }
    };
}

/// One step of a dispatch function: a condition that ends it in the dissector if the way is one of its layer, and nothing
/// for the ways of other layers.
macro_rules! step {
    (ethertype ($p:ident $kind:ident $($to:ident)+); link ethertype($($n:literal)|+)) => {
        if matches!($kind, $($n)|+) {
            take!($p, $($to)+);
        }
    };
    (llc ($p:ident $sap:ident $($to:ident)+); link llc($n:literal)) => {
        if $sap == $n {
            take!($p, $($to)+);
        }
    };
    (snap ($p:ident $kind:ident $($to:ident)+); link snap($organisation:literal, $n:literal)) => {
        if $kind == ($organisation, $n) {
            take!($p, $($to)+);
        }
    };
    (ip ($p:ident $number:ident $packet:ident $($to:ident)+); ip protocol($n:literal) $(when($is:ident))?) => {
        if $number == $n $(&& $packet.$is())? {
            take!($p, $($to)+);
        }
    };
    (group ($p:ident $packet:ident $($to:ident)+); group to($($n:literal)|+) $(when($is:ident))?) => {
        if matches!($p.destination_port, $($n)|+) $(&& $packet.$is())? {
            take!(some $p, $($to)+);
        }
    };
    (begin ($start:ident); tcp start($pattern:pat) $($more:tt)*) => { begin!($start $pattern) };
    (begin ($start:ident); industry_tcp start($pattern:pat)) => { begin!($start $pattern) };
    (find ($payload:ident $folder:ident $name:ident); udp found($is:ident)) => {
        if $folder::$name::$is($payload) {
            return true;
        }
    };
    (udp $pass:ident $c:tt; udp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    (tcp $pass:ident $c:tt; tcp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    (industry_udp $pass:ident $c:tt; industry_udp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    (industry_tcp $pass:ident $c:tt; industry_tcp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    (maker_udp $pass:ident $c:tt; maker_udp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    (maker_tcp $pass:ident $c:tt; maker_tcp $($way:tt)+) => { pass!($pass $c; $($way)+); };
    ($($other:tt)*) => {};
}

macro_rules! begin {
    ($start:ident $pattern:pat) => {
        if matches!($start, $pattern) {
            return true;
        }
    };
}

/// The conditions of TCP and UDP, of which a layer takes some in one pass over the rows.
macro_rules! pass {
    (all $c:tt; from $n:tt $(speaks $may:tt)?) => { port!($c; source_port Server $n); };
    (all $c:tt; to $n:tt $(speaks $may:tt)?) => { port!($c; destination_port Client $n); };
    (all $c:tt; either $n:tt $(speaks $may:tt)?) => {
        port!($c; source_port Server $n);
        port!($c; destination_port Client $n);
    };
    (from $c:tt; from $n:tt $(when($is:ident))?) => { port!($c; source_port Server $n $($is)?); };
    (from $c:tt; either $n:tt $(speaks $may:tt)?) => { port!($c; source_port Server $n); };
    (to $c:tt; to $n:tt) => { port!($c; destination_port Client $n); };
    (to $c:tt; either $n:tt $(speaks $may:tt)?) => { port!($c; destination_port Client $n); };
    (otherwise $c:tt; otherwise $n:tt) => { port!($c; source_port Server $n); };
    (found ($p:ident $_p:ident $to:ident $folder:ident $name:ident $f:ident); found($is:ident)) => {
        if $folder::$name::$is($p.bytes) {
            take!($p, $to $folder $name $f);
        }
    };
    (starts $c:tt; start($pattern:pat)) => { start!($c; $pattern, true); };
    (starts $c:tt; start($pattern:pat) when($is:ident)) => { start!($c; $pattern, is $is); };
    (starts $c:tt; start($pattern:pat) either($n:literal)) => { start!($c; $pattern, either $n); };
    (starts $c:tt; start($pattern:pat) to($n:literal)) => { start!($c; $pattern, to $n); };
    ($($other:tt)*) => {};
}

macro_rules! port {
    (($p:ident $_p:ident $to:ident $folder:ident $name:ident $f:ident);
        $port:ident $side:ident ($($n:literal)|+) $($is:ident)?) => {
        if matches!($p.$port, $($n)|+) $(&& $folder::$name::$is($p.bytes))? {
            let p = $p.on(Side::$side);
            take!(p, $to $folder $name $f);
        }
    };
}

macro_rules! start {
    (($p:ident $start:ident $to:ident $folder:ident $name:ident $f:ident); $pattern:pat, $($more:tt)+) => {
        if matches!($start, $pattern) && also!($p $folder $name $($more)+) {
            take!($p, $to $folder $name $f);
        }
    };
}

macro_rules! also {
    ($p:ident $folder:ident $name:ident true) => {
        true
    };
    ($p:ident $folder:ident $name:ident is $is:ident) => {
        $folder::$name::$is(&$p)
    };
    ($p:ident $folder:ident $name:ident either $n:literal) => {
        ($p.source_port == $n || $p.destination_port == $n)
    };
    ($p:ident $folder:ident $name:ident to $n:literal) => {
        $p.destination_port == $n
    };
}

macro_rules! take {
    (some $p:ident, $to:ident $folder:ident $name:ident $f:ident) => {
        return Some($to.take(stringify!($name), $folder::$name::$f, &$p))
    };
    ($p:ident, $to:ident $folder:ident $name:ident $f:ident) => {
        return $to.take(stringify!($name), $folder::$name::$f, &$p)
    };
}
