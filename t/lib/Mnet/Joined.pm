# SPDX-License-Identifier: Apache-2.0
package Mnet::Joined;

# A real httpd with mod_mnet, joined to peers in PHP: what the integration tests start from.
#
#   my $t = Mnet::Joined->start(styles => [qw(moodle mahara)], config => "MnetKeyBits 2048\n",
#                               peers => { tls => { style => 'mahara', tls => 1, section => {...} } });
#   plans skip_all where PHP or httpd is missing.
#
#   $t->peer('moodle')               a Mnet::PhpPeer that trusts the site, and is configured there
#   $t->site                         the site's wwwroot
#   $t->harness                      the Mnet::Harness
#   $t->ctl(@args)                   { exit, out, err, json } of mnetctl --json
#   $t->xcall('moodle', $method, @params)  the same of `mnetctl call`, parameters as JSON
#   $t->post($bytes, %o)             { status, headers, body, seconds } of an HTTP request by hand:
#                                    path, method, headers => {}, length, chunked, slow, shut, wait
#   $t->first_round(@names)          until the site's own first call of these peers is over
#   $t->mark, $t->lines, $t->warnings      the error log since mark
#   $t->alive                        a good call is still answered

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More ();
use Time::HiRes qw(sleep time);

use Mnet::PhpPeer;

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my $JSON = JSON::PP->new->utf8->allow_nonref->canonical;

sub start {
    my ($class, %o) = @_;
    my $missing = Mnet::PhpPeer->missing;
    Test::More::plan(skip_all => $missing) if $missing;
    require Mnet::Harness;
    my $self = bless { peers => {} }, $class;
    my %peers = (%{ $o{peers} || {} }, map { $_ => { style => $_ } } @{ $o{styles} || [] });
    my $config = $o{config} || '';
    for my $name (sort keys %peers) {
        my %how = %{ $peers{$name} };
        my $section = delete $how{section} || {};
        my $peer = $self->{peers}{$name} = Mnet::PhpPeer->start(%how);
        $config .= $peer->section(%$section) unless delete $how{stranger};
    }
    $config .= $class->echo_config if $o{echo};
    $self->{harness} = Mnet::Harness->new(config => $config, %{ $o{harness} || {} });
    $self->{harness}->start;
    $_->learn($self->site, 'moodle') for values %{ $self->{peers} };
    $self->mark;
    return $self;
}

# The site calls each peer soon after its start, to see whether it is known there.
sub first_round {
    my ($self, @names) = @_;
    for my $name (@names) {
        my $until = time + 20;
        sleep 0.02 until $self->peer($name)->heard || time > $until;
        die "the site never called $name" if !$self->peer($name)->heard;
    }
    return;
}

# The module of t/modules, built once per run.
sub echo_config {
    my $build = $ENV{MNET_BUILD} // "$ROOT/build";
    my $so = "$build/t/mod_mnet_echo.so";
    my $source = "$ROOT/t/modules/mod_mnet_echo.c";
    # It knows our structures from the inside: as old as its source or as the module is too old.
    if (!-e $so || grep { -M $so > -M $_ } $source, "$build/mod_mnet.so") {
        mkdir "$build/t";
        chomp(my $include = `apxs -q INCLUDEDIR`);
        chomp(my $flags = `pkg-config --cflags apr-1 apr-util-1 openssl libxml-2.0`);
        system("cc -std=gnu11 -fPIC -shared -D_GNU_SOURCE -I$ROOT/src -I$include $flags -o $so.$$ $source") == 0
            or die 'mod_mnet_echo.so was not built';
        rename "$so.$$", $so;
    }
    return "LoadModule mnet_echo_module $so\n";
}

sub harness { return $_[0]{harness} }
sub site    { return $_[0]{harness}->wwwroot(0) }

sub peer {
    my ($self, $name) = @_;
    return $self->{peers}{$name} || die "no peer is called $name";
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    delete $self->{harness};
    delete $self->{peers};
    return;
}

# --- mnetctl -------------------------------------------------------------------------------------

sub ctl {
    my ($self, @args) = @_;
    my $got = $self->{harness}->mnetctl('--json', @args);
    return { %$got, json => scalar eval { $JSON->decode($got->{out}) } };
}

sub xcall {
    my ($self, $name, $method, @params) = @_;
    return $self->ctl('call', $self->peer($name)->wwwroot, $method, map { $JSON->encode($_) } @params);
}

# To be called in a process forked off a test, before it uses mnetctl: its files are its own then.
sub forked {
    my ($self) = @_;
    $self->{harness}{runs} = 1000 * $$;
    return;
}

# --- HTTP by hand --------------------------------------------------------------------------------

sub connect {
    my ($self) = @_;
    my ($host, $port) = $self->site =~ m{^http://([^:/]+):(\d+)} or die 'the site has no port';
    return IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Proto => 'tcp', Timeout => 10);
}

sub post {
    my ($self, $body, %o) = @_;
    my $started = time;
    my $socket = $self->connect or return { status => 0, body => '', seconds => 0 };
    (my $below = $self->site) =~ s{^http://[^/]+}{};
    my ($host) = $self->site =~ m{^http://([^/]+)};
    my %headers = (Host => $host, 'User-Agent' => 'Moodle', 'Content-Type' => 'text/xml', Connection => 'close',
        ($o{chunked} ? ('Transfer-Encoding' => 'chunked') : ('Content-Length' => $o{length} // length $body)),
        %{ $o{headers} || {} });
    my $head = ($o{method} || 'POST') . " $below" . ($o{path} || '/mnet/xmlrpc/server.php') . " HTTP/1.1\r\n"
        . join('', map { defined $headers{$_} ? "$_: $headers{$_}\r\n" : () } sort keys %headers) . "\r\n";
    if ($o{chunked}) {
        my $chunks = join '', map { sprintf("%x\r\n", length) . "$_\r\n" } unpack '(a5000)*', $body;
        $body = $chunks . ($o{shut} ? '' : "0\r\n\r\n");
    }
    local $SIG{PIPE} = 'IGNORE';
    $socket->autoflush(1);
    syswrite $socket, $head;
    my $select = IO::Select->new($socket);
    for (my $at = 0; $at < length $body;) {
        # An answer before the end of the body ends the sending.
        last if $o{stop_early} && $select->can_read(0);
        my $n = syswrite $socket, $body, $o{slow} || 65536, $at;
        last if !$n;
        $at += $n;
        sleep 0.05 if $o{slow};
    }
    shutdown $socket, 1 if $o{shut};
    my $raw = '';
    my $until = time + ($o{wait} || 60);
    while ($select->can_read($until - time > 0 ? $until - time : 0)) {
        my $n = sysread $socket, $raw, 65536, length $raw;
        last if !$n;
    }
    close $socket;
    my ($status, $rest) = $raw =~ m{\AHTTP/1\.[01] (\d+)[^\n]*\n(.*)}s or return { status => 0, body => $raw,
        headers => {}, seconds => time - $started };
    my ($lines, $content) = split /\r?\n\r?\n/, $rest, 2;
    my %got = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } split /\r?\n/, $lines;
    if (($got{'transfer-encoding'} || '') =~ /chunked/i) {
        my $plain = '';
        while ($content =~ /\A([0-9a-fA-F]+)[^\n]*\n/g) {
            my ($n, $at) = (hex $1, pos $content);
            last if !$n;
            $plain .= substr $content, $at, $n;
            $content = substr $content, $at + $n + 2;
        }
        $content = $plain;
    }
    return { status => $status, headers => \%got, body => $content // '', seconds => time - $started };
}

# The fault of a plain answer: its code, or undef.
sub fault {
    my ($self, $got) = @_;
    return $got->{body} =~ m{<fault>.*?<name>faultCode</name>\s*<value><int>(-?\d+)</int>}s ? $1 : undef;
}

# --- the error log -------------------------------------------------------------------------------

sub log_text {
    my ($self) = @_;
    return $self->{harness}->error_log;
}

sub mark {
    my ($self) = @_;
    $self->{marked} = length $self->log_text;
    return;
}

sub lines {
    my ($self) = @_;
    return split /\n/, substr $self->log_text, $self->{marked};
}

# The lines of ours that tell of trouble.
sub warnings {
    my ($self) = @_;
    return grep { /MNET\d{4}/ && /\[mnet:(?:notice|warn|error|crit)/ } $self->lines;
}

sub alive {
    my ($self, $name) = @_;
    my $peer = $self->{peers}{ $name || (sort keys %{ $self->{peers} })[0] };
    my $reply = $peer->call($self->site, 'system/listServices');
    return $reply->{envelope}{verified} && ref $reply->{result} eq 'ARRAY';
}

1;
