#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# AuthType Mnet: who is let in, who is sent to log in, what an application behind it is told, and
# what a client can neither forge nor carry from one site to another.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Path qw(make_path);
use Test::More;
use Mnet::Browser;
use Mnet::Network;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my %where = (
    valid => 'Require valid-user',
    peer => 'Require mnet-peer http://elsewhere.example ${ROOT0}',
    otherpeer => 'Require mnet-peer ${ROOT2}',
    attribute => 'Require mnet-attribute lastname Liddell "Ångström"',
    noattribute => 'Require mnet-attribute lastname Liddell',
    missing => 'Require mnet-attribute nosuch x',
    name => 'Require mnet-username bob alice',
    noname => 'Require mnet-username bob',
    user => 'Require user alice@${BARE0}',
    nouser => 'Require user alice',
    any => "<RequireAny>\nRequire mnet-username bob\nRequire mnet-peer \${ROOT0}\n</RequireAny>",
    all => "<RequireAll>\nRequire mnet-username bob\nRequire mnet-peer \${ROOT0}\n</RequireAll>",
    not => "<RequireAll>\nRequire valid-user\nRequire not mnet-username alice\n</RequireAll>",
    expression => 'Require mnet-username "%{tolower:ALICE}"',
    environment => 'Require expr "%{reqenv:MNET_EMAIL} =~ /@example\.org$/ && %{REMOTE_USER} =~ /^alice/"',
    optional => "MnetAuthOptional On\nRequire all granted",
    headers => "MnetPassAttributes headers\nRequire valid-user",
    both => "MnetPassAttributes both\nRequire valid-user",
    none => "MnetPassAttributes none\nRequire valid-user",
);

my $n = Mnet::Network->start(sites => 3, config => "SetEnvIf X-Mnet-Username (.+) SPOOFED=\$1\n", site_config => sub {
        my ($net, $h, $i) = @_;
        my $root = $h->root;
        (my $bare = $h->wwwroot(0)) =~ s{http://}{};
        my $text = "ScriptAlias /env $root/env.sh\n<Directory $root>\nOptions +ExecCGI\n</Directory>\n<Directory "
            . $h->htdocs($i) . ">\nAllowOverride AuthConfig\nDirectoryIndex index.html\n</Directory>\n";
        return $text . Mnet::Network::identity_provider($h) if $i == 0;
        for my $name (sort keys %where) {
            my $said = $where{$name};
            utf8::encode($said);
            $said =~ s/\$\{ROOT(\d)\}/$h->wwwroot($1)/ge;
            $said =~ s/\$\{BARE0\}/$bare/g;
            $text .= "<Location /env/$name>\nAuthType Mnet\nMnetLogin " . $h->wwwroot(0) . "\n$said\n</Location>\n";
        }
        return $text . "<Location /env/choose>\nAuthType Mnet\nRequire valid-user\n</Location>\n"
            . "<Location /env/both/inner>\nMnetPassAttributes env\n</Location>\n<Location /env/optional/inner>\nMnetAuthOptional Off\n</Location>\n"
            . "<Location /env/bare>\nMnetAuthOptional On\n</Location>\n"
            . "<Location /env/stays>\nAuthType Mnet\nMnetAuthOptional On\nRequire valid-user\nMnetLogin " . $h->wwwroot(0) . "\n</Location>\n"
            . "<Location /env/mahara>\nAuthType Mnet\nRequire valid-user\nMnetLogin " . $h->wwwroot(3 - $i) . " ins=7\n</Location>\n"
            . ($i == 2 ? "MnetCookie school SameSite=Strict Path=/env\nMnetRemoteUser %{username}\n" : '');
    });
my $h = $n->harness;
my @root = map { $n->wwwroot($_) } 0 .. 2;
Mnet::Harness::write_file($h->root . '/env.sh', "#!/bin/sh\ncat >/dev/null\nprintf 'Content-Type: text/plain\\n\\n'; env | sort\n");
chmod 0755, $h->root . '/env.sh';
$h->expect_log(qr/\[authz_core:error\]/);

sub env {
    my ($got) = @_;
    my %env = map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $got->{content};
    utf8::decode($_) for values %env;
    return \%env;
}

sub signed_on {
    my ($to, $user) = @_;
    my $b = Mnet::Browser->new(user => ($user || 'alice') . ':secret', realm => $root[0]);
    $b->follow($n->jump(0, $to, '/'));
    return $b;
}

my $b = signed_on(1);
my ($id) = values %{ $b->cookies };
my $cookie = 'mnet_session_' . $h->port(1);

subtest 'without a session' => sub {
    my $fresh = Mnet::Browser->new;
    my $got = $fresh->get("$root[1]/env/valid/a%20b?c=d&e=%26#x");
    is($got->{status}, 303, 'a page is sent to log in');
    (my $ours = $root[1]) =~ s/:/%3A/g;
    is($got->{location}, "$root[0]/auth/mnet/jump.php?hostwwwroot=$ours&wantsurl=/env/valid/a%2520b%3Fc%3Dd%26e%3D%2526&remoteurl=1",
        '  by the link that Moodle has');
    is($got->{headers}{'cache-control'}, 'no-store', '  which nothing keeps');
    is_deeply($got->{cookies}, [], '  with no cookie for the attempt');
    is($fresh->request('HEAD', "$root[1]/env/valid", undef)->{status}, 303, 'HEAD as well');
    is($fresh->get("$root[1]/env/choose/x?y")->{location}, "$root[1]/mnet/hosts?wantsurl=/env/choose/x%3Fy", 'without MnetLogin users choose');
    for my $case (['no text/html' => Accept => 'application/json'], ['any type' => Accept => '*/*'], ['no Accept' => Accept => undef],
        ['text/html refused' => Accept => 'text/html;q=0, image/png'], ['XMLHttpRequest' => 'X-Requested-With' => 'XMLHttpRequest'],
        ['fetch()' => 'Sec-Fetch-Mode' => 'cors'], ['an image' => 'Sec-Fetch-Dest' => 'image']) {
        my ($what, %headers) = @$case;
        $got = $fresh->get("$root[1]/env/valid", %headers);
        is($got->{status}, 401, "$what: 401");
        is($got->{location}, undef, '  and no redirect');
        like($got->{headers}{'www-authenticate'} // '', qr/^Mnet realm=/, '  with the scheme');
    }
    is($fresh->post("$root[1]/env/valid", 'x')->{status}, 401, 'a POST: 401');
    is($fresh->get("$root[1]/env/valid", 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document')->{status}, 303, "a browser's navigation is a page");
    is($fresh->get("$root[1]/env/valid", Accept => 'text/*;q=0.1, text/html;q=0.5')->{status}, 303, 'with a weight, too');
    is($fresh->get("$root[1]/env/$_")->{status}, 303, "Require ...: $_") for grep { $_ !~ /^(?:optional|environment)$/ } sort keys %where;
};

subtest 'with a session' => sub {
    my %may = map { $_ => 1 } qw(valid peer attribute name user any expression environment optional headers both none);
    for my $name (sort keys %where) {
        my $got = $b->get("$root[1]/env/$name");
        is($got->{status}, $may{$name} ? 200 : 403, "$name: " . ($may{$name} ? 'let in' : 'refused'));
        is($got->{location}, undef, '  not sent to log in again') if !$may{$name};
    }
    (my $bare = $root[0]) =~ s{http://}{};
    my $env = env($b->get("$root[1]/env/valid"));
    is($env->{REMOTE_USER}, "alice\@$bare", 'REMOTE_USER');
    is($env->{AUTH_TYPE}, 'Mnet', 'AUTH_TYPE');
    is_deeply({ map { $_ => $env->{$_} } grep { /^MNET_/ } keys %$env }, { MNET_USERNAME => 'alice', MNET_PEER => $root[0],
            MNET_FIRSTNAME => 'alice', MNET_LASTNAME => 'Ångström', MNET_EMAIL => 'alice@example.org' }, 'variables');
    is((grep { /^HTTP_X_MNET/ } keys %$env), 0, '  no headers');
    is($b->post("$root[1]/env/valid", 'x')->{status}, 200, 'POST and XHR as any');
    $env = env($b->get("$root[1]/env/headers"));
    is_deeply({ map { $_ => $env->{$_} } grep { /MNET_/ } keys %$env }, { HTTP_X_MNET_USERNAME => 'alice', HTTP_X_MNET_PEER => $root[0],
            HTTP_X_MNET_FIRSTNAME => 'alice', HTTP_X_MNET_LASTNAME => 'Ångström', HTTP_X_MNET_EMAIL => 'alice@example.org' }, 'headers');
    $env = env($b->get("$root[1]/env/both"));
    is($env->{MNET_EMAIL}, 'alice@example.org', 'both');
    is($env->{HTTP_X_MNET_EMAIL}, 'alice@example.org', '  both');
    $env = env($b->get("$root[1]/env/none"));
    is_deeply([grep { /MNET_/ } keys %$env], [], 'none');
    is($env->{REMOTE_USER}, "alice\@$bare", '  but REMOTE_USER');
};

subtest 'inner sections' => sub {
    my $env = env($b->get("$root[1]/env/both/inner"));
    is($env->{MNET_EMAIL}, 'alice@example.org', 'env again inside of both');
    is($env->{HTTP_X_MNET_EMAIL}, undef, '  and no headers');
    $env = env($b->get("$root[1]/env/optional/inner"));
    is($env->{REMOTE_USER}, undef, 'MnetAuthOptional Off inside of On');
};

subtest 'optional' => sub {
    for my $name (qw(optional bare)) {
        my $got = Mnet::Browser->new->get("$root[1]/env/$name");
        is($got->{status}, 200, "$name: others are let by");
        is_deeply([grep { /MNET_|REMOTE_USER/ } keys %{ env($got) }], [], '  as nobody');
        is(env($b->get("$root[1]/env/$name"))->{MNET_USERNAME}, 'alice', '  and users are known');
        like(env($b->get("$root[1]/env/$name"))->{REMOTE_USER}, qr/^alice@/, '  by REMOTE_USER');
        is(Mnet::Browser->new->post("$root[1]/env/$name", 'x')->{status}, 200, '  POST as well');
    }
    is(Mnet::Browser->new->get("$root[1]/env/stays")->{status}, 303, 'a Require that needs a user stays in force');
    is($b->get("$root[1]/env/stays")->{status}, 200, '  and is met by a session');
};

subtest 'spoofed headers' => sub {
    my @names = qw(X-Mnet-Username x-mnet-peer X_MNET_EMAIL X-Mnet_Firstname X.Mnet.Lastname X-MNET-Admin X-Mnet);
    for my $path ('/env', map { "/env/$_" } qw(optional bare)) {
        my $port = $h->port(1);
        my $raw = $h->raw($port, "GET $path HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nConnection: close\r\n"
                . join('', map { "$_: root\r\n" } @names) . "X-Mnetwork: mine\r\n\r\n");
        like($raw, qr/^HTTP\/1\.1 200/, "$path is answered");
        unlike($raw, qr/MNET_\w+=root|X_MNET=root|SPOOFED/i, '  without any of them');
        like($raw, qr/HTTP_X_MNETWORK=mine/, '  but with others');
    }
    ok($h->wait_log(qr/MNET0885.*X-Mnet/i), 'a line says so');
    for my $name (qw(headers valid none)) {
        my $env = env($b->get("$root[1]/env/$name", 'X-Mnet-Username' => 'root', 'X-Mnet-Admin' => '1', 'X-Mnet-Email' => 'root@evil'));
        is_deeply([grep { /root|^1$/ } map { $env->{$_} } grep { /MNET/ } keys %$env], [], "$name, with a session: none of them");
    }
    is(env(Mnet::Browser->new->get("$root[0]/env", 'X-Mnet-Username' => 'root'))->{HTTP_X_MNET_USERNAME}, undef, 'nor on a host without AuthType Mnet');
};

subtest 'forged cookies' => sub {
    $h->clear_log;
    my %forged = ('cut' => substr($id, 0, 63), 'longer' => "${id}0", 'another id' => 'a' x 64, 'upper case' => uc $id, 'empty' => '',
        'quotes' => '"', 'a path' => '../../etc/passwd', 'SQL' => "' or 1=1 --", 'huge' => 'a' x 4000, 'one bit off' => substr($id, 0, 63) . ($id =~ /0$/ ? '1' : '0'));
    for my $what (sort keys %forged) {
        my $got = Mnet::Browser->new->get("$root[1]/env/valid", Cookie => "$cookie=$forged{$what}");
        is($got->{status}, 303, "$what: no session");
    }
    ok($h->wait_log(qr/MNET0881/), 'one that cannot be an id has its line');
    ok($h->wait_log(qr/MNET0882/), 'and so has one that names none');
    unlike($h->error_log, qr/a{64}/, 'without its value');
    for my $case (['among others' => "a=b; $cookie=$id; c=d"], ['after a stale one' => "$cookie=" . 'b' x 64 . "; $cookie=$id"],
        ['quoted' => "$cookie=\"$id\""], ['without a space' => "x=y;$cookie=$id"], ['the eighth' => "$cookie=" . 'c' x 64 . '; ' . "$cookie=xx; " x 20 . "$cookie=$id"]) {
        is(Mnet::Browser->new->get("$root[1]/env/valid", Cookie => $case->[1])->{status}, 200, "the true one is found $case->[0]");
    }
    is(Mnet::Browser->new->get("$root[1]/env/valid", Cookie => join '; ', map({ "$cookie=" . sprintf '%064x', $_ } 1 .. 9), "$cookie=$id")->{status}, 303,
        'no more than eight are tried');
    is(Mnet::Browser->new->get("$root[1]/env/valid", Cookie => "x$cookie=$id")->{status}, 303, 'a name that only ends so is another');
};

subtest 'sites share nothing' => sub {
    is(Mnet::Browser->new->get("$root[2]/env/valid", Cookie => "$cookie=$id")->{status}, 303, "another site's cookie by its name");
    is(Mnet::Browser->new->get("$root[2]/env/valid", Cookie => "school=$id")->{status}, 303, '  or by ours');
    my $other = signed_on(2, 'bob');
    is_deeply([keys %{ $other->cookies }], ['school'], 'MnetCookie gives the name');
    my $made = $other->{jar}[0];
    is($made->{path}, '/env', '  and the path');
    is(env($other->get("$root[2]/env/valid"))->{REMOTE_USER}, 'bob', 'MnetRemoteUser the user');
    is(Mnet::Browser->new->get("$root[1]/env/valid", Cookie => "$cookie=$made->{value}")->{status}, 303, 'the other way neither');
    my @warnings = $h->error_log . do { (my $x) = $h->configtest; my @t = $h->configtest; $t[1] };
    like($warnings[0], qr/MNET0619.*MnetRemoteUser %\{username\}/, 'a format that mixes users is warned of');
    like($warnings[0], qr/MNET0618.*SameSite=Strict/, 'so is SameSite=Strict');
};

subtest 'the way through' => sub {
    my $new = Mnet::Browser->new(user => 'carol:secret', realm => $root[0]);
    my $got = $new->follow("$root[1]/env/valid/deep?x=1&y=%C3%A9");
    is($got->{status}, 200, 'from the page to the login and back');
    is($got->{url}, "$root[1]/env/valid/deep?x=1&y=%C3%A9", '  to where one was going');
    is(env($got)->{MNET_USERNAME}, 'carol', '  as who one is');
    is(scalar @{ $got->{trail} }, 4, '  in four requests');
    $got = Mnet::Browser->new->get("$root[1]/env/mahara");
    like($got->{location}, qr{^\Q$root[2]\E/auth/mnet/jump\.php\?hostwwwroot=}, 'ins is only for a Mahara');
};

subtest 'files and .htaccess' => sub {
    my $dir = $h->htdocs(1);
    make_path("$dir/in", "$dir/open");
    Mnet::Harness::write_file("$dir/in/index.html", "inside\n");
    Mnet::Harness::write_file("$dir/in/.htaccess", "AuthType Mnet\nMnetLogin $root[0]\nRequire valid-user\n");
    Mnet::Harness::write_file("$dir/open/index.html", "outside\n");
    is(Mnet::Browser->new->get("$root[1]/in/")->{status}, 303, '.htaccess protects a directory');
    is($b->get("$root[1]/in/")->{content}, "inside\n", '  whose index a session sees');
    is($b->get("$root[1]/in/")->{headers}{'cache-control'}, 'private', '  and no shared cache keeps');
    is($b->get("$root[1]/in")->{status}, 301, '  without its slash as ever');
    Mnet::Harness::write_file("$dir/in/.htaccess", "AuthType Mnet\nMnetLogin $root[2]/nosuch\nRequire valid-user\n");
    like(Mnet::Browser->new->get("$root[1]/in/")->{location}, qr{^\Q$root[1]\E/mnet/hosts\?}, 'a MnetLogin that is no peer leads to the page of peers');
    ok($h->wait_log(qr/MNET0884/), '  with a line');
    $h->expect_log(qr/MnetLogin/);
    for my $bad ('MnetIdentityProvider On', 'MnetRemoteUser x', 'MnetLogin moodle.example.org', 'MnetPassAttributes all') {
        Mnet::Harness::write_file("$dir/open/.htaccess", "$bad\n");
        $h->expect_log(qr/\Q@{[ $bad =~ m{^(\w+)} ]}\E/);
        is($b->get("$root[1]/open/")->{status}, 500, "$bad is refused in .htaccess");
    }
};

# AuthType Mnet on everything: our own paths need no session.
$h->configure(site_config => sub {
    my ($harness, $i) = @_;
    return $n->peers($harness, $i) . ($i == 0 ? Mnet::Network::identity_provider($harness) : "<Location />\nAuthType Mnet\nMnetLogin $root[0]\n"
            . ($i == 1 ? "Require valid-user\n" : "Require mnet-peer $root[0]\n") . "</Location>\n<Location /mnet/logout>\nSetHandler mnet-logout\n</Location>\n");
}, config => "MnetTimeout 5s\n");
$h->graceful;
subtest 'on everything' => sub {
    for my $i (1, 2) {
        is(Mnet::Browser->new->get("$root[$i]/x")->{status}, 303, "site $i is closed");
        is(Mnet::Browser->new->get("$root[$i]/mnet/publickey.php")->{status}, 200, '  but for the certificate');
        is(Mnet::Browser->new->get("$root[$i]/mnet/hosts")->{status}, 200, '  the page of peers');
        is(Mnet::Browser->new->get("$root[$i]/auth/mnet/land.php")->{status}, 400, '  the land page');
        is(Mnet::Browser->new->get("$root[$i]/mnet/logout")->{status}, 200, '  the logout');
        is($h->mnetctl('-w', $root[0], 'ping', $root[$i])->{exit}, 0, '  and calls of peers');
        my $got = Mnet::Browser->new(user => 'alice:secret', realm => $root[0])->follow("$root[$i]/x");
        is($got->{status}, 404, '  and one who logs in comes in');
    }
    is($b->get("$root[1]/x")->{status}, 404, 'a session made before a graceful restart holds');
    $h->kill9;
    $h->start;
    is($b->get("$root[1]/x")->{status}, 404, '  and after SIGKILL');
};

# Every process keeps the sessions in use; what another one changed counts with the next request.
subtest 'a session in use that another process ends' => sub {
    my ($mine, $other) = map { signed_on(1, $_) } qw(alice bob);
    my $all = sub {
        my %seen;
        $seen{ $_[0]->get("$root[1]/x")->{status} }++ for 1 .. 20;
        return \%seen;
    };
    is_deeply($all->($_), { 404 => 20 }, 'lets in, whichever process answers') for $mine, $other;
    is($h->mnetctl('-w', $root[1], qw(sessions kill --user alice --peer), $root[0])->{exit}, 0, 'mnetctl ends those of one user');
    is_deeply($all->($mine), { 303 => 20 }, '  no process lets them in');
    is_deeply($all->($other), { 404 => 20 }, '  another user stays');
};

$h->stop;
done_testing;
