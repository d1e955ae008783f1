#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# What docs/backends.md and docs/modules.md show works as it stands there: only ports and the
# peer's name are put in.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Copy qw(copy);
use File::Spec;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Mnet::Backend;
use Mnet::Harness;
use Mnet::PhpPeer;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output, Test::More->builder->todo_output;
my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;
plan skip_all => 'there is no apxs' if !Mnet::Harness::apxs('INCLUDEDIR');

sub blocks {
    my ($file, $language) = @_;
    return Mnet::Harness::slurp("$Bin/../docs/$file") =~ /^```$language\n(.*?)^```/msg;
}

my $dir = tempdir('mnet-docs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $peer = Mnet::PhpPeer->start(style => 'moodle');

# A section as it is shown, with what is needed to reach the peer of a test.
sub section_of {
    my ($text) = @_;
    my $mine = $peer->section(MnetPublish => undef);
    $mine =~ s/\A<[^>]*>\n//;
    $mine =~ s{^</MnetPeer>\n\z}{}m;
    $text =~ s/https:\/\/moodle\.example\.org">/@{[$peer->wwwroot]}">\n$mine/ or die "no section: $text";
    return $text;
}

# --- the application -----------------------------------------------------------------------------

my ($php) = blocks('backends.md', 'php');
Mnet::Harness::write_file("$dir/mnet.php", $php);
my $app = Mnet::Backend->start('php', script => File::Spec->abs2rel("$dir/mnet.php", "$Bin/backends"));

my ($in, $out) = blocks('backends.md', 'apache');
is($in =~ s{http://127\.0\.0\.1:8080/mnet\.php}{$app->url('/mnet.php')}e, 1, 'the directive that is shown');
my $h = Mnet::Harness->new(modules => ['authz_host'], config => section_of($in) . $out);
my ($exit, $said) = $h->configtest;
is($exit, 0, 'the configuration is taken') or diag $said;
$h->start;
$peer->learn($h->wwwroot(0), 'moodle');
is($peer->call($h->wwwroot(0), 'local/school/api.php/hello', ['Ann é'])->{result}, 'Hello Ann é, from ' . $peer->wwwroot,
    'the application that is shown answers');
is_deeply([@{ $peer->call($h->wwwroot(0), 'local/school/api.php/other', [])->{fault} }{qw(code text)}],
    [1, 'there is no local/school/api.php/other'], '  and its fault is the caller\'s');

my ($path, $json) = Mnet::Harness::slurp("$Bin/../docs/backends.md")
    =~ /^ {4}POST (\S+) HTTP\/1\.1\n {4}Content-Type: application\/json\n\n {4}(\{.*\})\n/m;
is($json =~ s/https:\/\/moodle\.example\.org/@{[$peer->wwwroot]}/, 1, 'the call that is shown');
my $got = $h->http(POST => $h->url(0, $path), { 'Content-Type' => 'application/json' }, $json);
is($got->{status}, 200, '  is made') or diag explain $got;
my ($last) = reverse $peer->requests;
is($last->{method}, JSON::PP->new->decode($json)->{method}, '  at the peer');
undef $h;

# --- the module ----------------------------------------------------------------------------------

my ($c) = blocks('modules.md', 'c');
Mnet::Harness::write_file("$dir/mod_hello.c", $c);
copy("$Bin/../src/httpd/mod_mnet.h", "$dir/mod_mnet.h") or die $!;
my $apxs = $ENV{APXS} || 'apxs';
$said = qx(cd $dir && $apxs -I$dir -Wc,-Wall -Wc,-Werror -c mod_hello.c 2>&1);
is($?, 0, 'the module that is shown is built') or diag $said;
my ($lines) = blocks('modules.md', 'apache');
$lines =~ s/^LoadModule mnet_module.*\n//m;
is($lines =~ s{modules/mod_hello}{$dir/.libs/mod_hello}, 1, 'the configuration that is shown');
$h = Mnet::Harness->new(config => section_of($lines));
$h->start;
$peer->learn($h->wwwroot(0), 'moodle');
is($peer->call($h->wwwroot(0), 'local/hello/lib.php/hello', ['Ann é'])->{result}, 'Ann é', 'it answers');
is_deeply([@{ $peer->call($h->wwwroot(0), 'local/hello/lib.php/hello', [[]])->{fault} }{qw(code text)}],
    [1, 'name: a text is needed'], '  with a fault');

done_testing;
