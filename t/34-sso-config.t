#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The directives of sign-on: each mistake is refused or warned of with a sentence that names it, and
# each value reaches the place where it counts.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Harness;

my $h = Mnet::Harness->new(modules => [qw(authz_user)]);
my $peer = "<MnetPeer \"https://moodle.example.org\">\nMnetPublish sso_sp\nMnetSubscribe sso_idp\n</MnetPeer>\n"
    . "<MnetPeer \"https://mahara.example.org\">\nMnetPeerApplication mahara\n</MnetPeer>\n";

sub configtest {
    my ($text) = @_;
    $h->configure(site_config => $peer . $text);
    return $h->configtest;
}

my @wrong = (
    ['MnetCookie' => qr/name goes first|at least one|takes/],
    ['MnetCookie "a b"' => qr/no name of a cookie/],
    ['MnetCookie ses=sion' => qr/no name of a cookie/],
    ['MnetCookie school SameSite=Lux' => qr/'SameSite=Lux' is no attribute.*SameSite=Lax/],
    ['MnetCookie school Sekure' => qr/'Sekure' is no attribute/],
    ['MnetCookie school Domain=example.org' => qr/Domain would hand the session to other hosts/],
    ['MnetCookie school "Path=/a;b"' => qr/is no attribute/],
    ['MnetCookie school SameSite=None' => qr/MNET0614.*SameSite=None only with Secure/],
    ['MnetCookie __Host-x Path=/' => qr/MNET0614.*__Host-/],
    ['MnetCookie __Secure-x' => qr/MNET0614.*__Secure-/],
    ['MnetRemoteUser ""' => qr/format is empty|takes one argument/],
    ['MnetRemoteUser "%{username"' => qr/is not understood/],
    ['MnetRemoteUser "%u"' => qr/is not understood.*%\{username\}\@%\{peer\}/],
    ['MnetSessionLifetime 0' => qr/out of bounds.*1s/],
    ['MnetSessionLifetime soon' => qr/no time/],
    ['MnetSessionIdle 5000d' => qr/out of bounds/],
    ['MnetTokenLifetime 11m' => qr/out of bounds.*10m/],
    ['MnetProfileFields "first name"' => qr/no name of an attribute/],
    ['MnetLogin moodle.example.org' => qr/MnetLogin: .*https?/],
    ['MnetLogin https://moodle.example.org/' => qr/MnetLogin: .*slash/],
    ['MnetLogin https://moodle.example.org ins=x' => qr/ins=7/],
    ['MnetLogin https://moodle.example.org 7' => qr/ins=7/],
    ['MnetLogin https://elsewhere.example' => qr/line \d+: MnetLogin https:\/\/elsewhere\.example is no peer.*<MnetPeer/],
    ["<Location /x>\nMnetLogin http://moodle.example.org\n</Location>" => qr/MNET0616/],
    ['MnetLogin ' . $h->wwwroot(0) => qr/MNET0615.*itself/],
    ["<Location /x>\nMnetPassAttributes all\n</Location>" => qr/write env, headers, both or none/],
    ["<Location /x>\nMnetAuthOptional Perhaps\n</Location>" => qr/On or Off/],
    ["<Location /x>\nMnetIdentityProvider Yes\n</Location>" => qr/On or Off/],
    ["<Location /x>\nMnetAttribute \"e mail\" x\n</Location>" => qr/no name of an attribute/],
    ["<Location /x>\nMnetAttribute email \"%{nosuch:x}\"\n</Location>" => qr/expression .* is not understood/],
    ["<Location /x>\nMnetAttribute email \"%{env:A\"\n</Location>" => qr/expression .* is not understood/],
    ["<Location /x>\nMnetAttribute email a\nMnetAttribute email b\n</Location>" => qr/email is there twice/],
    ["<Location /x>\nMnetUserImage pictures/x.jpg\n</Location>" => qr/no absolute path.*as in MnetUserImage/],
    ["<Location /x>\nMnetUserImage \"/srv/%{nosuch:x}\"\n</Location>" => qr/expression .* is not understood/],
    ["<Location /x>\nMnetCookie x\n</Location>" => qr/not allowed/],
    ["<Location /x>\nMnetSessionIdle 1h\n</Location>" => qr/not allowed/],
    ["<Location /x>\nRequire mnet-peer\n</Location>" => qr/name one/],
    ["<Location /x>\nRequire mnet-peer moodle.example.org\n</Location>" => qr/Require mnet-peer: /],
    ["<Location /x>\nRequire mnet-attribute country\n</Location>" => qr/a name and values/],
    ["<Location /x>\nRequire mnet-username\n</Location>" => qr/name one/],
);
for my $case (@wrong) {
    my ($exit, $output) = configtest($case->[0]);
    (my $shown = $case->[0]) =~ s/\n/ /g;
    isnt($exit, 0, "refused: $shown");
    like($output, $case->[1], '  with a sentence') or diag $output;
}
ok(!-e $h->state_dir, 'nothing was written');

my @right = (
    ['MnetCookie school samesite=lax HTTPONLY Path=/' => undef],
    ['MnetCookie school SameSite=None Secure' => undef],
    ['MnetCookie __Host-s Secure Path=/' => undef],
    ['MnetCookie school SameSite=Strict' => qr/MNET0618/],
    ['MnetRemoteUser "%{username}@%{peer}"' => undef],
    ['MnetRemoteUser "%{peer}#%{username}"' => undef],
    ['MnetRemoteUser "%{username}"' => qr/MNET0619/],
    ['MnetRemoteUser "%{username}/%{peer}"' => qr/MNET0619/],
    ['MnetRemoteUser "%{username}%{peer}"' => qr/MNET0619/],
    ['MnetRemoteUser "%{email}"' => qr/MNET0619/],
    ['MnetRemoteUser "%{username}@%{peer}%{peer}"' => qr/MNET0619/],
    ['MnetLogin https://moodle.example.org' => undef],
    ['MnetLogin https://mahara.example.org ins=12' => undef],
    ['MnetLogin https://mahara.example.org' => qr/MNET0617.*ins=/],
    ["MnetSessionLifetime 12h\nMnetSessionIdle 30m\nMnetTokenLifetime 10s\nMnetProfileFields none" => undef],
    ["<Location /x>\nAuthType Mnet\nRequire mnet-peer \"https://moodle.example.org\" https://b.example\nRequire mnet-username a b\n"
        . "Require mnet-attribute a b c\n</Location>" => undef],
);
push @right, ["<MnetPeer \"https://closed.example\">\nMnetPublish sso_sp\nMnetSubscribe pf\n</MnetPeer>\nMnetLogin https://closed.example"
    => qr/MNET0899.*MnetLogin https:\/\/closed\.example.*add MnetSubscribe sso_idp/],
    ["<MnetPeer \"https://closed.example\">\nMnetPublish pf\nMnetSubscribe sso_idp\n</MnetPeer>\nMnetLogin https://closed.example"
    => qr/MNET0899.*add MnetPublish sso_sp/];
for my $case (@right) {
    my ($exit, $output) = configtest($case->[0]);
    (my $shown = $case->[0]) =~ s/\n/ /g;
    is($exit, 0, "taken: $shown") or diag $output;
    if ($case->[1]) {
        like($output, $case->[1], '  with a word');
    } else {
        unlike($output, qr/MNET061[4-9]|MNET089[89]/, '  without a word');
    }
}
# Where there is a store, the peer may be one of mnetctl's.
$h = Mnet::Harness->new(sites => 2, modules => [qw(authz_user)]);
$h->start;
$h->stop;
my $other = $h->wwwroot(1);
$h->configure(site_config => sub { my ($harness, $i) = @_; return $i ? '' : "MnetLogin $other\n" });
my ($exit, $output) = $h->configtest;
is($exit, 0, 'a MnetLogin that mnetctl may have added is taken');
like($output, qr/MNET0898.*line \d+: MnetLogin \Q$other\E has no <MnetPeer>/, '  with a word');
$h->expect_log(qr/MNET0638/);
$h->start;
like($h->error_log, qr/MNET0638.*MnetLogin \Q$other\E is no active peer/, '  and a start says that it is none');
my $got = $h->mnetctl('-w', $h->wwwroot(0), qw(peers add), $other);
is($got->{exit}, 0, 'added by mnetctl') or diag "$got->{out}$got->{err}";
my $before = () = $h->error_log =~ /MNET0638/g;
$h->stop;
$h->start;
my $after = () = $h->error_log =~ /MNET0638/g;
is($after, $before, '  it is fine at the next start');
$h->stop;
done_testing;
