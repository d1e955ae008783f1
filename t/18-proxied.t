#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A site that is not where httpd listens: behind a proxy that ends TLS and has another port and name,
# several names with certificates of their own by SNI, IPv6.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::IP;
use Test::More;
use Mnet::Curl;
use Mnet::Harness;
use Mnet::PhpPeer;
use Mnet::SignOn;

my $lacking = Mnet::PhpPeer::lacking(Mnet::Curl::missing());
plan skip_all => $lacking if $lacking;
for my $module (qw(ssl remoteip proxy_http)) {
    plan skip_all => "this httpd has no mod_$module" if !-e Mnet::Harness::modules_dir() . "/mod_$module.so";
}

my $PLAIN = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';

subtest 'a proxy that ends TLS' => sub {
    my ($front) = Mnet::Harness::free_ports(1);
    my $t = Mnet::SignOn->start(styles => [qw(moodle mahara)], config => "MnetTimeout 5s\n", modules => [qw(proxy proxy_http remoteip)],
        harness => { certificate => 1, wwwroots => ["https://127.0.0.1:$front"], extra => sub {
            my ($made) = @_;
            my $back = 'http://127.0.0.1:' . $made->port(0) . '/';
            # Neither its Host nor its scheme nor its port is the wwwroot's.
            return <<"CONF";
Listen 127.0.0.1:$front
<VirtualHost 127.0.0.1:$front>
    ServerName 127.0.0.1
    SSLEngine On
    SSLCertificateFile conf/tls.pem
    SSLCertificateKeyFile conf/tls.key
    RequestHeader set X-Forwarded-Proto https
    ProxyPass "/" "$back" disablereuse=on
    ProxyPassReverse "/" "$back"
</VirtualHost>
CONF
        } }, site => sub {
            return <<'CONF';
ServerName internal.example
UseCanonicalName On
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
MnetPlaintextFrom 203.0.113.7
MnetFailureLimit 3/1m
CustomLog logs/access.log "%a %u %U %s"
CONF
        });
    my ($h, $moodle) = ($t->harness, $t->peer('moodle'));
    $moodle->user('alice', firstname => 'Alice', lastname => 'B', email => 'alice@example.org');
    my $b = Mnet::Curl->new(ca => $h->ca_file, match => qr{^https:});
    $moodle->enter($b, 'alice');
    my $got = $b->follow($moodle->jump_url($t->site, '/app?x=1'));
    is($got->{status}, 200, 'landed') or diag explain $got;
    is($got->{url}, $t->site . '/app?x=1', '  where she wanted to go, by the name of the wwwroot');
    is($t->told($got)->{MNET_USERNAME}, 'alice', '  and is known');
    my ($cookie) = @{ $b->get($b->get($moodle->jump_url($t->site, '/app'))->{location})->{cookies} };
    is($cookie->{name}, "mnet_session_$front", 'the cookie has the port of the wwwroot');
    ok($cookie->{secure}, '  and is Secure, though httpd itself speaks http');
    $got = Mnet::Curl->new(ca => $h->ca_file)->get($t->site . '/app?y=2');
    like($got->{location}, qr{^https://127\.0\.0\.1:$front/mnet/hosts\?wantsurl=/app%3Fy%3D2$}, 'without a session: to log in, by the name of the wwwroot');
    my $left = $t->leave('mahara', $b, '/');
    is($left->{status}, 303, 'a jump') or diag $left->{content};
    is($b->follow($left->{location})->{status}, 200, '  lands at the Mahara');
    is($b->get($t->site . '/mnet/logout', Referer => $t->site . '/app')->{status}, 200, 'a logout from a page of this site');
    is($b->get($t->site . '/app')->{status}, 303, '  ends the session at once');
    ok($t->alive('moodle'), 'a call');
    my $signed = $moodle->body($t->site, 'system/listServices', [], no_seal => 1);
    my $post = sub {
        my ($address) = @_;
        return $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), { 'X-Forwarded-For' => $address }, $signed)->{content};
    };
    like($post->('203.0.113.8'), qr/7021/, 'unsealed from anybody: refused');
    unlike($post->('203.0.113.7'), qr/7021/, '  from an address that may, by mod_remoteip: not');
    $h->expect_log(qr/MNET/);
    my @statuses = map { $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), { 'X-Forwarded-For' => '198.51.100.9' },
        $moodle->body($t->site, 'system/listServices', [], tamper => 'wrapped'))->{status} } 1 .. 5;
    is($statuses[-1], 429, 'whoever guesses is turned away by their own address');
    ok($t->alive('moodle'), '  and nobody else behind the proxy');
    $h->stop;
};

subtest 'names with certificates of their own' => sub {
    my ($port, $plain) = Mnet::Harness::free_ports(2);
    my $h = Mnet::Harness->new(bare => 1, modules => [qw(ssl rewrite authz_user)], config => sub {
        my ($made) = @_;
        my $conf = $made->root . '/conf';
        for my $name (qw(a b)) {
            my $said = qx(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name.test -addext subjectAltName=DNS:$name.test,DNS:www.$name.test -keyout $conf/$name.key -out $conf/$name.pem 2>&1);
            die $said if $?;
        }
        system("cat $conf/a.pem $conf/b.pem > $conf/both.pem") == 0 or die;
        return "Listen 127.0.0.1:$port\nListen 127.0.0.1:$plain\n" . join '', map { <<"HOST" } qw(a b);
<VirtualHost 127.0.0.1:$port>
    ServerName $_.test
    SSLEngine On
    SSLCertificateFile conf/$_.pem
    SSLCertificateKeyFile conf/$_.key
    MnetEngine On
    MnetWwwroot https://$_.test:$port
    ServerAlias www.$_.test
    <Location /members>
        AuthType Mnet
        Require valid-user
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:$plain>
    ServerName $_.test
    RewriteEngine On
    RewriteRule ^ https://$_.test:$port%{REQUEST_URI} [R=301,L]
</VirtualHost>
HOST
    })->start;
    my @all = map { ("$_:$port:127.0.0.1", "$_:$plain:127.0.0.1") } qw(a.test www.a.test b.test);
    my $b = Mnet::Curl->new(ca => $h->root . '/conf/both.pem', resolve => \@all);
    my %key;
    for my $name (qw(a b)) {
        my $got = $b->get("https://$name.test:$port/mnet/publickey.php");
        is($got->{status}, 200, "$name: its key");
        $key{ $got->{content} } = 1;
        like($b->post("https://$name.test:$port/mnet/xmlrpc/server.php", $PLAIN)->{content}, qr/BEGIN CERTIFICATE/, '  and its answer');
    }
    is(scalar keys %key, 2, 'each its own');
    is($b->get("https://www.a.test:$port/mnet/publickey.php")->{status}, 200, 'a ServerAlias is the same site');
    my $got = $b->get("https://www.a.test:$port/members/x?y=1");
    like($got->{location}, qr{^https://a\.test:$port/mnet/hosts\?wantsurl=/members/x%3Fy%3D1$}, '  whose users log in by its own name');
    is($b->get("http://a.test:$plain/mnet/publickey.php")->{location}, "https://a.test:$port/mnet/publickey.php",
        'a host that only redirects, redirects');
    $h->stop;
};

subtest 'IPv6' => sub {
    my $free = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1) or plan skip_all => 'there is no ::1 here';
    my $port = $free->sockport;
    close $free;
    my $t = Mnet::SignOn->start(styles => ['moodle'], config => "MnetTimeout 5s\n",
        harness => { wwwroots => ["http://[::1]:$port"], extra => sub {
            # The virtual host of the test listens on 127.0.0.1; this is the same site.
            my ($made) = @_;
            my ($host) = $made->site_text(0) =~ m{\A<VirtualHost [^>]*>\n(.*)</VirtualHost>}s;
            return "Listen [::1]:$port\n<VirtualHost [::1]:$port>\n$host</VirtualHost>\n";
        } });
    my ($h, $moodle) = ($t->harness, $t->peer('moodle'));
    my $b = Mnet::Curl->new(match => qr{^http://\[});
    like($b->get($t->site . '/mnet/publickey.php')->{content}, qr/BEGIN CERTIFICATE/, 'the key');
    $moodle->user('alice', firstname => 'Alice', lastname => 'B', email => 'alice@example.org');
    ok($t->alive('moodle'), 'a call');
    $moodle->enter($b, 'alice');
    my $got = $b->follow($moodle->jump_url($t->site, '/app'));
    is($got->{status}, 200, 'landed') or diag explain $got;
    is($b->get($t->site . '/mnet/logout', 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'and logged out');
    is($b->get($t->site . '/app')->{status}, 303, '  is out');
    $h->stop;
};
done_testing;
