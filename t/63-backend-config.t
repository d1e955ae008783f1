#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# MnetBackend and mnet-call at configtest: mistakes are refused with the mend, what is risky is
# warned about, and what a virtual host says goes before what the server says.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Backend;
use Mnet::Harness;

my $h = Mnet::Harness->new(modules => [qw(authz_host access_compat)]);

sub test {
    my ($lines, %o) = @_;
    $h->configure(config => $o{server} // '', site_config => $lines, extra => $o{extra} // '');
    return $h->configtest;
}

# --- refused -------------------------------------------------------------------------------------

for my $case (
    ['MnetBackend', qr/a path and a URL are needed/],
    ['MnetBackend local/a/b.php/c', qr/there is no URL/],
    ['MnetBackend local/a/b.php/c ftp://x', qr/'ftp:\/\/x' is neither a URL nor an option.*write as in http/],
    ['MnetBackend local/a/b.php/c http://h format=soap', qr/format='soap' is not known; write format=xmlrpc or format=json/],
    ['MnetBackend local/a/b.php/c http://h timeout=never', qr/timeout='never' is no time/],
    ["MnetBackend local/a/b.php/c unix:/@{['x' x 110]}|http://h", qr/has 111 bytes, and the system allows 107/],
    ['MnetBackend system/listMethods http://h service=a', qr/this server's own/],
    ['MnetBackend system/* http://h service=a', qr/this server's own/],
    ['MnetBackend auth/mnet/auth.php/user_authorise http://h service=a', qr/is answered by this server itself; choose another path/],
    ['MnetBackend * http://h', qr/needs service=NAME/],
    ["MnetBackend local/a/b.php/c http://h\nMnetBackend local/a/b.php/c http://i", qr/'local\/a\/b\.php\/c' is there twice, first in line \d+ of/],
) {
    my ($lines, $says) = @$case;
    my ($exit, $output) = test($lines);
    isnt($exit, 0, "refused: $lines") or diag $output;
    like($output, $says, '  with the mend');
    like($output, qr/line \d+/, '  and where');
}
my ($exit, $output) = test("<Directory />\nMnetBackend local/a/b.php/c http://h\n</Directory>");
isnt($exit, 0, 'not in a section');

# --- taken, with a word --------------------------------------------------------------------------

($exit, $output) = test("MnetBackend local/a/b.php/c http://app.example/x\n");
is($exit, 0, 'plain http to another machine is taken') or diag $output;
like($output, qr/MNET1101.*http:\/\/app\.example\/x is another machine and plain http/, '  with a warning');
($exit, $output) = test("MnetBackend local/a/b.php/c https://app.example/x http://127.0.0.1/ http://[::1]:80/ http://localhost unix:/x|http://app.example\n");
is($exit, 0, 'others are taken') or diag $output;
unlike($output, qr/MNET11/, '  without one');

my $call = "<Location /call>\nSetHandler mnet-call\n%s\n</Location>\n";
for my $case (['', 1, 'nothing'], ['Require all granted', 1, 'Require all granted'], ['Require ip 127.0.0.1', 0, 'Require ip'],
    ["<RequireAny>\nRequire local\n</RequireAny>", 0, 'a Require inside'], ['Require all denied', 0, 'Require all denied'],
    ["Require local\nRequire all granted", 1, 'one Require that lets everybody in'],
    ["<RequireAll>\nRequire all granted\nRequire not ip 192.0.2.1\n</RequireAll>", 0, 'several that must all hold'],
    ["<Limit GET>\nRequire local\n</Limit>", 1, 'a Require for GET'], ["<LimitExcept GET>\nRequire local\n</LimitExcept>", 0, 'a Require for all but GET'],
    ["<LimitExcept POST>\nRequire local\n</LimitExcept>", 1, 'a Require for all but POST'], ['AuthType None', 1, 'an AuthType alone'],
    ["Order allow,deny\nAllow from 127.0.0.1", 0, 'Allow'], ["Order allow,deny\nAllow from all", 1, 'Allow from all']) {
    my ($lines, $warned, $what) = @$case;
    ($exit, $output) = test(sprintf $call, $lines);
    is($exit, 0, "mnet-call with $what is taken") or diag $output;
    is($output =~ /MNET1108/ ? 1 : 0, $warned, $warned ? '  with a warning' : '  without one') or diag $output;
}
($exit, $output) = test("<Location />\nRequire local\n</Location>\n" . sprintf $call, '');
unlike($output, qr/MNET1108/, 'a <Location> above it guards it');
($exit, $output) = test("<Location /other>\nRequire local\n</Location>\n" . sprintf $call, '');
like($output, qr/MNET1108/, '  another does not');
($exit, $output) = test("<Location /ca>\nRequire local\n</Location>\n" . sprintf $call, '');
like($output, qr/MNET1108/, '  nor one whose name begins alike');
($exit, $output) = test("<Location />\nRequire local\n</Location>\n" . sprintf $call, 'Require all granted');
like($output, qr/MNET1108/, '  nor one that it opens again');

# --- the virtual host's before the server's ------------------------------------------------------

my $missing = Mnet::PhpPeer->missing;
SKIP: {
    skip $missing, 1 if $missing;
    my $app = Mnet::Backend->rude(sub {
        my ($socket, $head) = @_;
        my ($path) = $head =~ m{^POST (\S+)};
        print {$socket} Mnet::Backend::answer(Mnet::Backend::response("<string>$path</string>"));
        return 1;
    });
    my $peer = Mnet::PhpPeer->start(style => 'moodle');
    $h = Mnet::Harness->new(sites => 2, config => $peer->section(MnetPublish => 'app')
            . "MnetBackend local/a/b.php/one @{[$app->url('/server')]} service=app\n"
            . "MnetBackend local/a/b.php/two @{[$app->url('/server')]} service=app\n"
            . "MnetBackend local/a/* @{[$app->url('/server-pattern')]} service=app\n",
        site_config => ['', "MnetBackend local/a/b.php/one @{[$app->url('/host')]} service=app\n"
            . "MnetBackend local/* @{[$app->url('/host-pattern')]} service=app\n"]);
    $h->start;
    my @said;
    for my $i (0, 1) {
        $peer->learn($h->wwwroot($i), 'moodle');
        push @said, [map { $peer->call($h->wwwroot($i), "local/a/b.php/$_", [])->{result} } qw(one two three)];
    }
    is_deeply($said[0], ['/server', '/server', '/server-pattern'], 'a virtual host has what the server says');
    is_deeply($said[1], ['/host', '/server', '/host-pattern'], '  and what it says itself goes before');
}

done_testing;
