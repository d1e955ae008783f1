#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# configtest: each mistake is named with its directive, its line and the mend, across directives too,
# and nothing is written.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Find;
use Test::More;
use Mnet::Harness;

my $h = Mnet::Harness->new(bare => 1);
my $root = $h->root;

# Certificates by the openssl tool, so that they are nobody's own work.
sub certificate {
    my ($name, $wwwroot) = @_;
    my $got = $h->run(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout /dev/null -out), "$root/conf/$name",
        '-subj', '/O=Test/CN=' . ($wwwroot =~ s{/}{\\/}gr));
    die $got->{err} if $got->{exit};
    return;
}
certificate('peer.pem', 'http://peer.example');
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
    '/dev/null', '-out', "$root/conf/ec.pem", '-subj', '/CN=http:\/\/peer.example') == 0 or die;
Mnet::Harness::write_file("$root/conf/junk.pem", "no certificate\n");
Mnet::Harness::write_file("$root/conf/large.pem", 'x' x 70_000);

sub listing {
    my @files;
    find({ no_chdir => 1, wanted => sub { push @files, $_ if !m{/logs/run} } }, $root);
    return join "\n", sort @files;
}

sub line_of {
    my ($blame) = @_;
    my @lines = split /\n/, Mnet::Harness::slurp($h->conf_file);
    for my $n (1 .. @lines) {
        return $n if index($lines[$n - 1], $blame) >= 0;
    }
    die "nothing to blame: $blame";
}

# Refused, at that line, with a sentence that says all of these.
sub refused {
    my ($name, $config, $blame, @says) = @_;
    subtest $name => sub {
        $h->configure(config => $config, bare => 1);
        my $before = listing();
        my ($exit, $output) = $h->configtest;
        isnt($exit, 0, 'refused');
        my $line = line_of($blame);
        like($output, qr/(?:on line $line of \S*httpd\.conf:|httpd\.conf, line $line:)/, "line $line is blamed") or diag $output;
        like($output, ref $_ ? $_ : qr/\Q$_\E/, "says $_") or diag $output for @says;
        is(listing(), $before, 'nothing is written');
    };
    return;
}

sub accepted {
    my ($name, $config, @warns) = @_;
    subtest $name => sub {
        $h->configure(config => $config, bare => 1);
        my $before = listing();
        my ($exit, $output) = $h->configtest;
        is($exit, 0, 'accepted') or diag $output;
        like($output, ref $_ ? $_ : qr/\Q$_\E/, "warns of $_") for @warns;
        unlike($output, qr/MNET/, 'without a word') if !@warns;
        is(listing(), $before, 'nothing is written');
    };
    return;
}

my $on = "MnetEngine On\nMnetWwwroot http://us.example\n";
sub peer { my ($inner, $wwwroot) = @_; return "<MnetPeer \"@{[$wwwroot // 'https://peer.example']}\">\n$inner\n</MnetPeer>\n"; }

# --- one value ---
for my $case (
    ['MnetEngine maybe', 'On or Off'],
    ['MnetWwwroot us.example', 'http'],
    ['MnetWwwroot ftp://us.example', 'http'],
    ['MnetWwwroot http://us.example/', 'http://us.example'],
    ['MnetWwwroot http://us.example/?a=b', 'MnetWwwroot'],
    ['MnetWwwroot http://user@us.example', 'MnetWwwroot'],
    ['MnetWwwroot "http://us.example/#x"', 'MnetWwwroot'],
    ['MnetWwwroot ""', 'MnetWwwroot'],
    ['MnetWwwroot http://a http://b', 'takes one argument'],
    ['MnetSiteName ""', 'takes one argument', 'organisation'],
    ['MnetSiteName ' . 'x' x 300, 'bytes long', '255 are allowed'],
    ['MnetApplication "a b"', 'no name of an application', 'moodle'],
    ['MnetApplication moodle moodle', 'twice'],
    ['MnetDefineApplication moodle xmlrpc=/a land=/b jump=/c', 'built in', 'another name'],
    ['MnetDefineApplication x xmlrpc=/a land=/b', 'jump= is missing'],
    ['MnetDefineApplication x xmlrpc=a land=/b jump=/c', 'no path below a wwwroot', 'as in'],
    ['MnetDefineApplication x xmlrpc=/a/../b land=/b jump=/c', 'no path below a wwwroot'],
    ['MnetDefineApplication x xmlrpc=/a/.. land=/b jump=/c', 'no path below a wwwroot'],
    ['MnetDefineApplication x what=/a', 'not understood', 'xmlrpc=/path'],
    ['MnetDefineApplication x xmlrpc=/publickey.php land=/b jump=/c', 'same path'],
    ['MnetStateDir ""', 'takes one argument'],
    ['MnetStateSize 10', 'from 4m to 1t', 'as in MnetStateSize 1g'],
    ['MnetStateSize 2m', 'from 4m to 1t'],
    ['MnetStateSize big', 'no size', 'k, m, g or t'],
    ['MnetStateSize -1g', 'no size'],
    ['MnetStateSize 99999999999999999999g', 'no size'],
    ['MnetSharedMemory 1k', 'from 256k to 1g'],
    ['MnetKeyBits 1024', 'write 2048, 3072 or 4096'],
    ['MnetKeyBits 2048x', 'write 2048, 3072 or 4096'],
    ['MnetKeyLifetime 5s', 'from 20s'],
    ['MnetKeyLifetime soon', 'no time', 'ms, s, m, h, d or w'],
    ['MnetKeyHistory 1000', 'from 0 to 100'],
    ['MnetKeyHistory -1', 'no number', 'as in MnetKeyHistory 6'],
    ['MnetClockSkew 15x', 'no time', 'as in MnetClockSkew 15m'],
    ['MnetReplayWindow 0', 'from 1s'],
    ['MnetMaxBody 10mb', 'no size'],
    ['MnetMaxBody 1', 'from 1k'],
    ['MnetPlaintextFrom localhost', 'no address or network', '192.0.2.7'],
    ['MnetPlaintextFrom 10.0.0.0/99', 'no address or network'],
    ['MnetRegisterAllHosts yes', 'On or Off'],
    ['MnetTimeout 1ms', 'from 100ms to'],
    ['MnetOutgoingLimit 0', 'from 1 to'],
    ['MnetFailureLimit often', 'no rate', '30/1m'],
    ['MnetFailureLimit 30', 'no rate', 'N/TIME'],
) {
    my ($line, @says) = @$case;
    refused($line, "$line\n", $line, (split / /, $line)[0], @says);
}

# --- the section of a peer ---
refused('<MnetPeer> without a URL', "<MnetPeer>\n</MnetPeer>\n", '<MnetPeer>', 'names no peer', 'as in');
refused('<MnetPeer> with two', "<MnetPeer http://a.example http://b.example>\n</MnetPeer>\n", '<MnetPeer http', 'takes one URL');
refused('<MnetPeer> with a slash', peer('', 'http://a.example/'), '<MnetPeer', 'MnetPeer', 'http://a.example');
refused('<MnetPeer> twice', peer('', 'http://a.example') . "<MnetPeer http://a.example>\n</MnetPeer>\n", '<MnetPeer http',
    'was there before, on line', 'one section');
refused('a stranger in <MnetPeer>', peer('DocumentRoot /tmp'), 'DocumentRoot /tmp', 'DocumentRoot does not belong inside <MnetPeer>');
refused('MnetEngine in <MnetPeer>', peer('MnetEngine On'), 'MnetEngine On', 'does not belong inside <MnetPeer>');
refused('a peer in a peer', peer(peer('', 'http://b.example')), '<MnetPeer "http://b', 'does not belong inside');
for my $line ('MnetPeerApplication moodle', 'MnetPeerCertificate x', 'MnetPeerEndpoint http://a', 'MnetPeerTLS verify',
    'MnetPeerCharset auto', 'MnetPublish pf', 'MnetSubscribe pf', 'MnetUserAccess allow *') {
    refused("$line outside", "$line\n", $line, (split / /, $line)[0], 'valid only inside <MnetPeer', 'move it into');
}
for my $case (
    ['MnetPeerApplication "a b"', 'no name of an application'],
    ['MnetPeerCertificate conf/none.pem', 'cannot be read', "$root/conf/none.pem"],
    ["MnetPeerCertificate $root/conf", 'cannot be read'],
    ['MnetPeerCertificate conf/large.pem', 'at most 64k'],
    ['MnetPeerEndpoint 127.0.0.1:8081', 'scheme, host and port', 'http://127.0.0.1:8081'],
    ['MnetPeerEndpoint http://127.0.0.1:8081/moodle', 'scheme, host and port'],
    ['MnetPeerTLS maybe', 'write verify, insecure, or the name of a file'],
    ['MnetPeerTLS conf/large.pem', 'no certificate in', "$root/conf/large.pem"],
    ['MnetPeerCharset latin1', 'write auto, utf8 or bytes'],
    ['MnetPublish "a b"', 'no name of a service'],
    ['MnetPeerEndpoint http://127.0.0.1:99999', 'scheme, host and port', 'http://127.0.0.1:99999'],
    ['MnetPublish pf none', 'contradicts'],
    ['MnetPublish none pf', 'contradicts'],
    ['MnetSubscribe none pf', 'contradicts'],
    ['MnetSubscribe grades=', 'no pattern'],
    ['MnetSubscribe "=x"', 'no name of a service'],
    ['MnetUserAccess admin', 'allow or deny', 'as in'],
    ['MnetUserAccess deny', 'allow or deny'],
) {
    my ($line, @says) = @$case;
    refused($line, peer($line), $line, (split / /, $line)[0], @says);
}

# --- across directives ---
refused('On without a wwwroot', "MnetEngine On\n", 'MnetEngine On', 'there is no MnetWwwroot', 'MnetWwwroot https://');
refused('an unknown application', "${on}MnetApplication totara\n", 'MnetApplication totara', "'totara' is not known", 'MnetDefineApplication');
refused('an unknown application of a peer', $on . peer('MnetPeerApplication totara'), 'MnetPeerApplication totara', 'totara', 'MnetDefineApplication');
refused('two of one path', "${on}MnetDefineApplication x xmlrpc=/mnet/publickey.php land=/b jump=/c publickey=/d.php\nMnetApplication moodle x\n",
    'MnetApplication moodle x', '/mnet/publickey.php for different things');
refused('peers that differ in the scheme', $on . peer('', 'http://a.example') . peer('', 'https://a.example'),
    '<MnetPeer "https://a.example', 'differ only in the scheme');
refused('a peer that is ourselves', $on . peer('', 'https://us.example'), '<MnetPeer', 'this site itself');
refused('no certificate', $on . peer('MnetPeerCertificate conf/junk.pem'), 'MnetPeerCertificate conf/junk.pem', "$root/conf/junk.pem", 'fetch it again');
refused('a certificate of another kind', $on . peer('MnetPeerCertificate conf/ec.pem'), 'MnetPeerCertificate', 'RSA');
refused('a certificate of another site', $on . peer('MnetPeerCertificate conf/peer.pem', 'http://other.example'),
    'MnetPeerCertificate', "another site's", 'http://peer.example');
refused('a state below the DocumentRoot', "${on}DocumentRoot $root\n", 'MnetStateDir', 'below the DocumentRoot', 'outside');
refused('a state that is a file', "${on}MnetStateDir $root/conf/peer.pem\n", "MnetStateDir $root/conf/peer.pem", 'no directory');
mkdir "$root/www";
my $portfolio = "${on}MnetPortfolioDir $root/portfolio\n";
refused('a portfolio below the DocumentRoot', "${on}DocumentRoot $root/www\nMnetPortfolioDir $root/www/p\n", 'MnetPortfolioDir', 'below the DocumentRoot');
refused('a portfolio in the state', "${on}MnetStateDir $root/s\nMnetPortfolioDir $root/s/p\n", 'MnetPortfolioDir', 'in one another');
refused('a portfolio that is a file', "${on}MnetPortfolioDir $root/conf/peer.pem\n", 'MnetPortfolioDir', 'no directory');
refused('another answer to an intent', "${portfolio}MnetPortfolioAccept perhaps\n", 'MnetPortfolioAccept', 'perhaps', 'immediate, queue or none');
refused('a package of no size', "${portfolio}MnetPortfolioMaxSize huge\n", 'MnetPortfolioMaxSize', 'no size');
refused('never expiring', "${portfolio}MnetPortfolioExpire 0\n", 'MnetPortfolioExpire', 'out of bounds');
refused('an interval of a week', "${portfolio}MnetPortfolioInterval 1w\n", 'MnetPortfolioInterval', 'out of bounds');
refused('a route to nowhere', "${portfolio}MnetPortfolioRoute leap2a\n", 'MnetPortfolioRoute', 'where its packages go');
refused('a route out of the folder', "${portfolio}MnetPortfolioRoute * dir:../other\n", 'MnetPortfolioRoute', 'no folder below');
refused('a route to a file', "${portfolio}MnetPortfolioRoute * file:///etc/passwd\n", 'MnetPortfolioRoute', 'neither a folder nor a URL');
refused('a route of no format', "${portfolio}MnetPortfolioRoute a/b dir:x\n", 'MnetPortfolioRoute', 'no name of a format');
refused('a route of no priority', "${portfolio}MnetPortfolioRoute * dir:x priority=high\n", 'MnetPortfolioRoute', 'no priority');
refused('one wwwroot, two sites', "<VirtualHost 127.0.0.1:1>\n$on</VirtualHost>\n<VirtualHost 127.0.0.1:2>\n"
    . "MnetEngine On\nMnetWwwroot  http://us.example\nMnetMaxBody 20m\n</VirtualHost>\n", 'MnetWwwroot  http', 'MnetMaxBody differs', 'is also that of line');
for my $line ("MnetStateDir $root/other", 'MnetStateSize 2g', 'MnetSharedMemory 8m', 'MnetOutgoingLimit 5') {
    refused("$line in a virtual host", "<VirtualHost 127.0.0.1:1>\n  $line\n</VirtualHost>\n", "  $line", 'for the whole server', 'out of <VirtualHost>');
}
for my $line ('MnetEngine On', 'MnetKeyBits 2048') {
    refused("$line in a directory", "<Location /x>\n  $line\n</Location>\n", "  $line", 'not allowed in <Location>');
}

# --- what is right ---
accepted('nothing at all', '');
accepted('everything', <<"CONF" . peer(<<'PEER'));
MnetEngine On
MnetWwwroot https://us.example/moodle
MnetSiteName "Université d'Exemple"
MnetApplication mahara totara
MnetDefineApplication totara xmlrpc=/rpc/server.php land=/sso/land.php jump=/sso/jump.php
MnetStateSize 1g
MnetSharedMemory 4M
MnetKeyBits 4096
MnetKeyLifetime 28d
MnetKeyHistory 0
MnetClockSkew 0
MnetReplayWindow 2w
MnetMaxBody 100M
MnetPlaintextFrom 127.0.0.1 10.0.0.0/8 2001:db8::/32
MnetPlaintextFrom 192.0.2.0/255.255.255.0
MnetRegisterAllHosts On
MnetTimeout 500ms
MnetOutgoingLimit 5
MnetFailureLimit 10/30s
CONF
    MnetPeerApplication totara
    MnetPeerEndpoint http://127.0.0.1:8081
    MnetPeerTLS verify
    MnetPeerCharset bytes
    MnetPublish sso_idp sso_sp
    MnetPublish pf
    MnetSubscribe sso_idp grades=mod/grades/rpclib.php/*,mod/other/rpclib.php/get
    MnetUserAccess deny admin guest
    MnetUserAccess allow *
PEER
accepted('no limit and nobody', "${on}MnetFailureLimit 0\n" . peer("MnetPublish none\nMnetSubscribe none"));
accepted('two virtual hosts that are one site', join '', map { "<VirtualHost 127.0.0.1:$_>\n$on" . peer("MnetPublish pf") . "</VirtualHost>\n" } 1, 2);
accepted('a portfolio', "${portfolio}MnetPortfolioAccept queue\nMnetPortfolioMaxSize 2g\nMnetPortfolioExpire 2d\nMnetPortfolioInterval 1m\n"
    . "MnetPortfolioRoute leap2a http://127.0.0.1:8080/in priority=10\nMnetPortfolioRoute * dir:incoming/files\n");
accepted('plain http', $on . peer('', 'http://peer.example'), 'MNET0612', 'http://peer.example', 'plain http');
Mnet::Harness::write_file("$root/conf/authorities.pem", scalar `openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=ca 2>/dev/null`);
accepted('a private authority', $on . peer('MnetPeerTLS conf/authorities.pem'));
accepted('unverified TLS', $on . peer('MnetPeerTLS insecure'), 'MNET0613', 'not verified');
expired_certificate();
accepted('an expired certificate', $on . peer('MnetPeerCertificate conf/old.pem'), 'MNET0611', 'expired at 2021-01-01');

# Of OpenSSL 3.0's tools only `ca` can date back.
sub expired_certificate {
    my $dir = "$root/conf/ca";
    mkdir $dir;
    Mnet::Harness::write_file("$dir/index.txt", '');
    Mnet::Harness::write_file("$dir/ca.cnf", <<"CNF");
[ca]
default_ca = one
[one]
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
CNF
    for my $command (
        ['openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$dir/key", '-out', "$dir/csr", '-subj', '/CN=https:\/\/peer.example'],
        ['openssl', 'ca', '-batch', '-config', "$dir/ca.cnf", '-selfsign', '-keyfile', "$dir/key", '-in', "$dir/csr", '-notext',
            '-startdate', '20200101000000Z', '-enddate', '20210101000000Z', '-out', "$root/conf/old.pem"]) {
        my $got = $h->run(@$command);
        die $got->{err} if $got->{exit};
    }
    return;
}

ok(!-e $h->state_dir, 'no state was made by any of them');
done_testing;
