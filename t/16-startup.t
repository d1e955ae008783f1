#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The state directory and the mutex at a start: what is made, what is refused and with which words.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Harness;

my $CALL = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';

sub answers {
    my ($h) = @_;
    return $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), {}, $CALL)->{content} =~ /BEGIN CERTIFICATE/;
}

# It does not start, and says these.
sub refused {
    my ($name, $h, @says) = @_;
    $h->expect_log(qr/MNET06\d\d/, qr/AH00020|AH00016/);
    my $started = eval { $h->start; 1 };
    my $why = $@;
    ok(!$started, "$name: refused");
    like($why, $_, "  says $_") for @says;
    $h->stop;
    return;
}

subtest 'made with its parents' => sub {
    my $h = Mnet::Harness->new(config => "MnetStateDir a/b/state/\n")->start;
    my $root = $h->root;
    is(sprintf('%04o', (stat "$root/$_")[2] & 07777), '0700', "$_ is the server's alone") for qw(a a/b a/b/state a/b/state/tmp);
    ok(answers($h), 'and serves');
    $h->stop;
};

subtest 'there before' => sub {
    my $h = Mnet::Harness->new;
    my $dir = $h->state_dir;
    mkdir $dir or die;
    chown scalar getpwnam('www-data'), scalar getgrnam('www-data'), $dir if !$>;
    for my $mode (0777, 0755, 0710) {
        chmod $mode, $dir;
        refused(sprintf('mode %04o', $mode), $h, qr/MNET0634.*others than its owner may look into.*chmod 700 \Q$dir\E/);
    }
    chmod 0700, $dir;
    $h->start;
    ok(answers($h), 'mode 0700 serves');
    $h->stop;
};

subtest 'somebody else\'s' => sub {
    plan skip_all => 'only root can give a directory away' if $>;
    my $h = Mnet::Harness->new;
    my $dir = $h->state_dir;
    mkdir $dir, 0700 or die;
    refused('belongs to root', $h, qr/MNET0634.*belongs to user 0.*chown -R \d+:\d+ \Q$dir\E/);
};

subtest 'cannot be made' => sub {
    my $h = Mnet::Harness->new(config => "MnetStateDir /proc/mnet\n");
    refused('a place where nothing can be', $h, qr/MNET0634.*\/proc\/mnet cannot be made/);
};

subtest 'rubbish in its place' => sub {
    my $h = Mnet::Harness->new->start->stop;
    for my $file (glob $h->state_dir . '/data.mdb') {
        Mnet::Harness::write_file($file, 'rubbish ' x 2000);
    }
    refused('no database', $h, qr/MNET0636: \S+/);
};

refused('a POSIX semaphore', Mnet::Harness->new(config => "Mutex posixsem mnet-shared\n"),
    qr/MNET0632.*POSIX semaphore.*Mutex pthread mnet-shared/);
for my $mechanism ('pthread', 'fcntl:run', 'flock:run', 'sysvsem') {
    subtest "Mutex $mechanism" => sub {
        my $h = Mnet::Harness->new(config => "Mutex $mechanism mnet-shared\n");
        $h->start;
        ok(answers($h), 'serves');
        $h->graceful;
        ok(answers($h), 'and after a graceful restart');
        $h->stop;
    };
}

subtest 'MnetSharedMemory at a graceful restart' => sub {
    my $h = Mnet::Harness->new->start;
    $h->configure(config => "MnetSharedMemory 8m\n");
    $h->graceful;
    like($h->error_log, qr/MNET0635.*MnetSharedMemory changed/, 'waits for a stop and a start, and says so');
    ok(answers($h), 'and serves');
    $h->stop;
};

# Modules are unloaded and loaded anew by a restart, ours not always to where it was: its memory of
# before must not be looked for by what was there.
subtest 'a graceful restart with more modules' => sub {
    my $h = Mnet::Harness->new->start;
    my @more = grep { -e Mnet::Harness::modules_dir() . "/mod_$_.so" }
        qw(alias auth_basic authn_file authz_user dir env headers mime rewrite setenvif status);
    for my $more ([@more], [], [@more[0 .. 4]]) {
        $h->clear_log;
        $h->configure(modules => $more, config => "MnetSharedMemory 8m\n");
        $h->graceful;
        like($h->error_log, qr/MNET0635/, 'the shared memory is the one of before') or diag $h->error_log;
        ok(answers($h), '  which serves');
    }
    $h->stop;
};

subtest 'a store cut short' => sub {
    my $h = Mnet::Harness->new;
    $h->start->stop;
    truncate $h->state_dir . '/data.mdb', 8292 or die "truncate: $!";
    $h->expect_log(qr{MNET0[26]\d\d}, qr{AH000(?:16|20)});
    ok(!eval { $h->start; 1 }, 'httpd does not start on it');
    like($@, qr/MNET0210.*restore data\.mdb/, '  and says what to do');
};

done_testing;
