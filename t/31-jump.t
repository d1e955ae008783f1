#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A user leaves for a peer: who may, by which links, with what is told of them; and the page of the
# peers that they can go to.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Mnet::Browser;
use Mnet::Network;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my @users = ("AuthType Basic\nAuthName users\nAuthBasicProvider file\nAuthUserFile conf/users\nRequire valid-user\n");
my $n = Mnet::Network->start(sites => 4, peer_lines => sub {
        my ($i, $j) = @_;
        return $j == 3 ? "MnetPeerApplication mahara\n" : "$i$j" eq '01' ? "MnetPeerApplication moodle\n" : '';
    }, services => sub { return "@_" eq '0 2' ? 'sso_idp' : 'sso_idp sso_sp' }, site_config => sub {
        my ($net, $h, $i) = @_;
        my $jump = Mnet::Network::identity_provider($h, $i == 0 ? qq{MnetAttribute city "%{env:CITY}"\nMnetAttribute country "%{env:COUNTRY}"\nMnetAttribute username "%{env:TOLD}"} : '');
        return "$jump<Location /mnet/hosts>\n$users[0]</Location>\nSetEnv CITY Bern\nSetEnvIf X-Told (.+) TOLD=\$1\n"
            . "SetEnvIf X-Country (.+) COUNTRY=\$1\n" if $i == 0;
        # 0 sends users everywhere but to 2.  1: asks for users, is no provider.  2: a provider that asks nobody.  3: Mahara, half a user.
        return "<Location /auth/mnet/jump.php>\n$users[0]</Location>\n" if $i == 1;
        return "<Location /auth/mnet/jump.php>\nMnetIdentityProvider On\n</Location>\n" if $i == 2;
        return "MnetApplication mahara moodle\n<LocationMatch ^/auth/(mnet|xmlrpc)/jump.php>\n$users[0]MnetIdentityProvider On\n"
            . "MnetAttribute firstname \"Bob\"\nMnetAttribute username \"staff-%{REMOTE_USER}\"\n</LocationMatch>\n"
            . "<Location /auth/xmlrpc/jump.php>\nMnetAttribute lastname B\nMnetAttribute email b\@example.org\n"
            . "MnetAttribute firstname \"Robert\"\n</Location>\n";
    });
my $h = $n->harness;
my @root = map { $n->wwwroot($_) } 0 .. 3;

sub browser {
    my ($user) = @_;
    return Mnet::Browser->new($user ? (user => "$user:secret", realm => 'http://') : ());
}

sub query { my ($url) = @_; return { map { /([^=]*)=(.*)/ ? ($1 => $2) : () } split /[?&]/, $url } }

subtest 'who may' => sub {
    my $got = browser()->get($n->jump(0, 1, '/'));
    is($got->{status}, 401, 'a user whom httpd does not know is asked');
    like($got->{headers}{'www-authenticate'}, qr/^Basic/, '  by the AuthType of the location');
    $got = Mnet::Browser->new(user => 'alice:wrong', realm => 'http://')->get($n->jump(0, 1, '/'));
    is($got->{status}, 401, 'a wrong password');
    $got = browser('alice')->get($n->jump(1, 0, '/'));
    is($got->{status}, 403, 'no MnetIdentityProvider');
    like($got->{content}, qr/MnetIdentityProvider/, '  and the page says so');
    ok($h->wait_log(qr/MNET0891/), '  and the log');
    $h->expect_log(qr{MNET0892}, qr{AH01617});
    $got = browser('alice')->get($n->jump(2, 0, '/'));
    is($got->{status}, 403, 'a location that asks for nobody');
    ok($h->wait_log(qr/MNET0892.*AuthType/), '  and the log says what it lacks');
    is(browser('alice')->post($n->jump(0, 1, '/'))->{status}, 405, 'no POST');
};

subtest 'links' => sub {
    my $b = browser('alice');
    my $got = $b->get($n->jump(0, 1, '/a b?c=é&d=%26#x'));
    is($got->{status}, 303, 'hostwwwroot');
    my $query = query($got->{location});
    like($got->{location}, qr{^\Q$root[1]\E/auth/mnet/land\.php\?}, '  leads to the land page');
    like($query->{token}, qr/^[0-9a-f]{40}$/, '  with a token');
    is($query->{idp} =~ s/%([0-9A-F]{2})/chr hex $1/ger, $root[0], '  and our name');
    ok(!exists $query->{remoteurl}, '  without remoteurl');
    unlike($query->{wantsurl}, qr/[^A-Za-z0-9%._~-]/, '  and wantsurl fit for a query');
    is($got->{headers}{'cache-control'}, 'no-store', '  not to be kept');
    is($got->{headers}{'referrer-policy'}, 'no-referrer', '  or told');
    my $again = query($b->get($n->jump(0, 1, '/'))->{location});
    isnt($again->{token}, $query->{token}, 'each jump has its own token');
    my $jump = "$root[0]/auth/mnet/jump.php";
    for my $case (['a trailing slash' => "hostwwwroot=$root[1]/"], ['without a scheme' => 'hostwwwroot=' . ($root[1] =~ s{http://}{}r)],
        ["a Mahara's" => "wr=$root[1]&ins=7"], ["a Mahara's without ins" => "wr=$root[1]"],
        ['remoteurl' => "hostwwwroot=$root[1]&remoteurl=1&wantsurl=/x"]) {
        my $to = $b->get("$jump?$case->[1]");
        is($to->{status}, 303, $case->[0]) or diag $to->{content};
        like($to->{location}, qr{^\Q$root[1]\E/auth/mnet/land\.php\?(?!.*remoteurl)}, '  leads there');
    }
    like($b->get($n->jump(0, 3, '/'))->{location}, qr{^\Q$root[3]\E/auth/xmlrpc/land\.php\?}, 'to a Mahara');
    for my $case (['nowhere' => '', 400], ['an unknown site' => 'hostwwwroot=http://elsewhere.example', 404], ['an unknown id' => 'hostid=1', 404],
        ['no id' => 'hostid=x', 404], ['ourselves' => "hostwwwroot=$root[0]", 404], ['a peer that takes nobody' => "hostwwwroot=$root[2]", 403],
        ['another host' => "hostwwwroot=$root[1]&wantsurl=//evil.example", 400],
        ['a NUL' => "hostwwwroot=$root[1]&wantsurl=%00", 400]) {
        my $to = $b->get("$jump?$case->[1]");
        is($to->{status}, $case->[2], "$case->[0]: $case->[2]");
        like($to->{content}, qr/<h1>/, '  with a page');
    }
};

subtest 'what a peer is told' => sub {
    my $b = browser('alice');
    $b->follow($n->jump(0, 1, '/'));
    my $info = decode_json($b->get("$root[1]/mnet/hosts?format=json")->{content});
    is($info->{user}{name}, 'alice Ångström', 'the name');
    my $got = browser('bob')->get("$root[3]/auth/mnet/jump.php?hostwwwroot=$root[1]");
    is($got->{status}, 403, 'a user without a last name and an e-mail');
    like($got->{content}, qr/lastname, email/, '  is told what lacks');
    like($got->{content}, qr/MnetAttribute/, '  and what mends it');
    ok($h->wait_log(qr/MNET0849.*MnetAttribute/), '  and so is the log');
    $got = browser('alice')->get($n->jump(0, 1, '/'), 'X-Told' => 'aLice');
    is($got->{status}, 403, 'a capital letter, which a Moodle takes in no name');
    like($got->{content}, qr/MnetAttribute username &quot;%\{tolower:%\{REMOTE_USER\}\}&quot;/, '  and what mends it');
    ok($h->wait_log(qr/MNET0858.*tolower/), '  which the log says as well');
    is(browser('alice')->get($n->jump(0, 3, '/'), 'X-Told' => 'aLice')->{status}, 303, '  a Mahara takes it');
    is(browser('alice')->get($n->jump(0, 1, '/'), 'X-Told' => 'al/ce')->{status}, 403, 'a slash');
    is(browser('alice')->get($n->jump(0, 1, '/'), 'X-Told' => 'al+ice')->{status}, 303, 'what only some Moodles take goes on');
    ok($h->wait_log(qr/MNET0859.*extendedusernamechars/), '  with a line');
    is(browser('alice')->get($n->jump(0, 1, '/'), 'X-Country' => 'GB')->{status}, 303, 'a country as Moodle has it');
    unlike($h->error_log, qr{MNET0878}, '  fits');
    is(browser('alice')->get($n->jump(0, 1, '/'), 'X-Country' => 'Switzerland')->{status}, 303, 'a country in words');
    ok($h->wait_log(qr/MNET0878.*alice.*left out: country/), '  is left out, with a line');
    $b = browser('bob');
    $b->follow("$root[3]/auth/xmlrpc/jump.php?wr=$root[1]&ins=1");
    $info = decode_json($b->get("$root[1]/mnet/hosts?format=json")->{content});
    is_deeply($info->{user}, { name => 'Robert B', username => 'staff-bob' }, 'the inner section has the last word');
    is($info->{from}{url}, $root[3], '  from there');
};

subtest 'onward' => sub {
    my $b = browser('alice');
    $b->follow($n->jump(0, 1, '/'));
    my ($jump) = $n->jump(1, 3, '/');
    delete $b->{user};
    my $got = $b->get($jump);
    is($got->{status}, 401, 'a session is none of the users of AuthType Basic');
    $b = Mnet::Browser->new(user => 'alice:secret', realm => $root[0]);
    $b->follow($n->jump(0, 3, '/'));
    $b->{realm} = 'nowhere';
    is($b->get("$root[3]/auth/xmlrpc/jump.php?wr=$root[1]")->{status}, 401, '  nor there');
};

subtest 'the peers one can go to' => sub {
    my $got = browser('alice')->get("$root[0]/mnet/hosts");
    is($got->{status}, 200, 'a page');
    like($got->{content}, qr{logged in as <strong>alice</strong>}, '  says who');
    my @links = $got->{content} =~ m{<li><a href="([^"]+)">}g;
    is(scalar @links, 2, '  with a link for each');
    is(browser('alice')->get($links[0] =~ s/&amp;/&/gr)->{status}, 303, '  which works');
    $got = browser('alice')->get("$root[0]/mnet/hosts", Accept => 'application/json');
    like($got->{headers}{'content-type'}, qr{^application/json}, 'JSON');
    my $json = decode_json($got->{content});
    is_deeply([map { $_->{url} } @{ $json->{hosts} }], [sort @root[1, 3]], '  names them');
    is($json->{site}{url}, $root[0], '  and us');
    is($json->{from}, undef, '  nobody came from anywhere');
    is(browser()->get("$root[0]/mnet/hosts")->{status}, 401, 'where the location asks for a user, so does the page');
    $json = decode_json(browser()->get("$root[1]/mnet/hosts?format=json")->{content});
    is($json->{user}, undef, 'without a user');
    is_deeply([map { $_->{url} } @{ $json->{providers} }], [sort @root[0, 2, 3]], '  it names where to log in');
    like((grep { $_->{url} eq $root[3] } @{ $json->{providers} })[0]{login}, qr{/auth/xmlrpc/jump\.php\?wr=}, "  a Mahara's in its own way");
    like(browser()->get("$root[1]/mnet/hosts?wantsurl=/deep%3Fx=1")->{content}, qr{wantsurl=/deep%3Fx%3D1}, '  and comes back to where one was going');
    unlike(browser()->get("$root[1]/mnet/hosts?wantsurl=//evil.example")->{content}, qr{evil}, '  not elsewhere');
    unlike(browser()->get("$root[1]/mnet/hosts?wantsurl=%22%3E%3Cscript%3E")->{content}, qr{<script}, '  and not into the page');
};

$h->configure(site_config => sub {
    my ($harness, $i) = @_;
    return $n->peers($harness, $i) . ($i == 1 ? "<Location />\nAuthType Mnet\nMnetLogin $root[0]\nRequire valid-user\n</Location>\n"
            . "<Location /auth/mnet/jump.php>\nMnetIdentityProvider On\nMnetJumpOnward \${ONWARD}\n"
            . "\${NAMED} username \"%{reqenv:MNET_USERNAME}-of-home\"\n</Location>\n"
        : $i == 0 ? Mnet::Network::identity_provider($harness) : $i == 3 ? "MnetApplication mahara moodle\n" : '');
}, config => "MnetTimeout 5s\nDefine ONWARD Off\nDefine NAMED MnetAttribute\n");
$h->graceful;
subtest 'onward, from a session' => sub {
    my $b = Mnet::Browser->new(user => 'alice:secret', realm => $root[0]);
    my $got = $b->get($n->jump(1, 3, '/'));
    is($got->{status}, 403, 'nobody is asked to log in for a jump that is not allowed') or diag explain $got;
    $b->follow($n->jump(0, 1, '/'));
    $got = $b->get($n->jump(1, 3, '/'));
    is($got->{status}, 403, 'who came in from a peer does not jump on');
    ok($h->wait_log(qr/MNET0841/), '  and a line');
    is_deeply(decode_json($b->get("$root[1]/mnet/hosts?format=json")->{content})->{hosts}, [], '  the page names no peers');
    $h->configure(config => "MnetTimeout 5s\nDefine ONWARD On\nDefine NAMED MnetAttribute\n");
    $h->graceful;
    $got = $b->get($n->jump(1, 3, '/'));
    is($got->{status}, 303, 'unless MnetJumpOnward says so') or diag $got->{content};
    $got = $b->follow($got->{location});
    my $info = decode_json($b->get("$root[3]/mnet/hosts?format=json")->{content});
    is($info->{user}{username}, 'alice-of-home', '  by the name that MnetAttribute gives');
    is($info->{user}{name}, 'alice Ångström', '  with what the session has');
    is(scalar @{ decode_json($b->get("$root[1]/mnet/hosts?format=json")->{content})->{hosts} }, 3, '  the page names the peers');
    $got = Mnet::Browser->new->get($n->jump(1, 3, '/'));
    is($got->{status}, 303, '  and without a session one logs in first');
    like($got->{location}, qr{^\Q$root[0]\E/auth/mnet/jump\.php}, '    there');
};

$h->stop;
done_testing;
