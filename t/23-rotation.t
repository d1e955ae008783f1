#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Keys change on both sides: 7025 is answered and followed, a lawful rotation costs no call, and a
# certificate that nobody lawful gave is never believed.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Joined;
use Mnet::PhpPeer;

my @styles = qw(moodle moodle-old mahara);
my %section = (MnetPublish => 'test');
my $t = Mnet::Joined->start(echo => 1, config => "MnetFailureLimit 0\n", peers => {
    (map { $_ => { style => $_, section => {%section} } } @styles),
    (map { ("$_-tls" => { style => $_, tls => 1, section => {%section} }) } qw(moodle mahara)) });
my $site = $t->site;
my $ECHO = 'test/echo/lib.php';

sub fingerprint_of_ours { return $t->peer('moodle')->call($site, 'system/keyswap', [], enveloped => 1)->{result} }
# As its administrator tells it.
sub print_of {
    my ($peer) = @_;
    my $file = $t->harness->root . '/new.pem';
    Mnet::Harness::write_file($file, $peer->pem);
    return $t->harness->run(qw(openssl x509 -noout -fingerprint -sha256 -in), $file)->{out};
}
sub rotate_ours {
    my $got = $t->ctl('keys', 'rotate');
    is($got->{exit}, 0, 'mnetctl keys rotate') or diag explain $got;
}

subtest 'ours' => sub {
    # The site's own first call of each, soon after its start, would tell it of a new key.
    for my $style (@styles, 'moodle-tls', 'mahara-tls') {
        ok(Mnet::Harness::wait_for(sub { $t->peer($style)->heard('system/listServices') }, 30), "$style: called at the start");
    }
    for my $style (@styles, 'mahara-tls') {
        my $peer = $t->peer($style);
        my $before = $peer->learn($site);
        is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', "$style: before");
        my $heard = $peer->heard;
        rotate_ours();
        my $fault = $peer->call($site, "$ECHO/note", ['x'], no_follow => 1);
        is($fault->{fault}{code}, 7025, '  a message to the old key: 7025') or diag explain $fault;
        like($fault->{fault}{text}, qr/\A-----BEGIN CERTIFICATE-----\n(?:[^\n]{64}\n)*[^\n]{1,64}\n-----END CERTIFICATE-----\n\z/,
            '  with a certificate as a Moodle wants it');
        isnt($fault->{fault}{text}, $before, '  another one');
        ok($fault->{envelope}{verified}, '  signed by the old key');
        my $reply = $peer->call($site, "$ECHO/first", ['x']);
        is($reply->{result}, 'x', '  it is followed and the call is answered') or diag explain $reply;
        # Unless the site called it meanwhile, and so told it first.
        ok($reply->{rekeyed} || $peer->heard > $heard, '  after the new certificate was kept');
        ok(!$peer->call($site, "$ECHO/first", ['x'])->{rekeyed}, '  and then as before');
        is($peer->state->{peers}{$site}{certificate}, $peer->learn($site), '  it is the one that keyswap gives');
        my $called = $t->xcall($style, "$ECHO/first", 'x');
        is($called->{json}{result}, 'x', '  we call it with the new key') or diag explain $called;
    }
    # A peer that missed some rotations is still told, one that missed too many is not.
    my $late = $t->peer('moodle-old');
    $late->learn($site);
    rotate_ours() for 1 .. 6;
    my $told = $late->call($site, "$ECHO/first", ['x']);
    ok($told->{rekeyed} && ($told->{result} // '') eq 'x', 'after six rotations a peer is still told')
        or diag explain $told;
    rotate_ours() for 1 .. 7;
    $t->mark;
    is($late->call($site, "$ECHO/first", ['x'])->{fault}{code}, 7023, 'after seven the oldest key is gone: 7023');
    $_->learn($site) for map { $t->peer($_) } @styles, 'mahara-tls', 'moodle-tls';
};

subtest 'a peer of ours that we call' => sub {
    for my $style ('moodle', 'moodle-old', 'moodle-tls', 'mahara-tls') {
        my $peer = $t->peer($style);
        my $old = $peer->pem;
        $peer->rotate;
        $peer->forget_requests;
        my $got = $t->xcall($style, "$ECHO/first", 'x');
        is($got->{json}{result}, 'x', "$style rotates: the call is answered all the same") or diag explain $got;
        my @asked = grep { ($_->{method} // '') eq "$ECHO/first" || ($_->{fault} // 0) == 7025 } $peer->requests;
        is(scalar @asked, 2, '  after one 7025 and one more try') or diag explain [$peer->requests];
        like($t->ctl('peers', 'show', $peer->wwwroot)->{out}, qr/rotated/, '  mnetctl says that it was a rotation');
        $peer->forget_requests;
        is($t->xcall($style, "$ECHO/first", 'y')->{json}{result}, 'y', '  the next call');
        is($peer->heard("$ECHO/first"), 1, '  goes straight through');
        is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  and it calls us with the new key');
    }
};

subtest 'a peer that calls us' => sub {
    for my $style ('moodle-tls', 'mahara-tls') {
        my $peer = $t->peer($style);
        my $started = time;
        $peer->rotate;
        my $reply = $peer->call($site, "$ECHO/first", ['x']);
        is($reply->{result}, 'x', "$style rotates and calls: recognised within the call") or diag explain $reply;
    }
};

subtest 'Mahara over plain http' => sub {
    # Its 7025 is signed by the new key alone, and nothing else vouches for it: an administrator must.
    my $peer = $t->peer('mahara');
    $peer->rotate;
    my $got = $t->xcall('mahara', "$ECHO/first", 'x');
    is($got->{json}{error}{kind}, 'trust', 'its new key is not believed') or diag explain $got;
    like($got->{json}{error}{message}, qr/confirm/, '  and the mend is named');
    is($peer->call($site, "$ECHO/first", ['x'])->{fault}{code}, 710, '  nor is what it signs with it');
    like($t->ctl('peers', 'show', $peer->wwwroot)->{out}, qr/"pending": \{/, '  but it is kept for confirmation');
    my $refused = $t->ctl('peers', 'confirm', $peer->wwwroot, '--yes');
    is($refused->{exit}, 1, '  --yes alone does not put it in force');
    like($refused->{out} . $refused->{err}, qr/another certificate.*--fingerprint/s, '  and says what does');
    my $confirmed = $t->ctl('peers', 'confirm', $peer->wwwroot, '--fingerprint', print_of($peer));
    is($confirmed->{exit}, 0, '  mnetctl peers confirm') or diag explain $confirmed;
    is($t->xcall('mahara', "$ECHO/first", 'x')->{json}{result}, 'x', '  and then it is called');
    is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  and calls');
};

subtest 'a new key that nobody was told of' => sub {
    # What is left of a Moodle whose key was deleted by hand, or that was put back from a backup.
    my $peer = $t->peer('moodle');
    $peer->admin('forget-and-rotate');
    my $root = $peer->wwwroot;
    my $got = $t->ctl('peers', 'confirm', $root, '--yes');
    is($got->{exit}, 1, 'confirm --yes alone does not replace a trusted certificate');
    like($got->{out} . $got->{err}, qr/another certificate.*--fingerprint/s, '  and says what does');
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{error}{code}, 7023, 'calls fail');
    like($t->harness->mnetctl('peers', 'verify', $root)->{out}, qr/NOT the one we trust.*peers confirm \Q$root\E --fingerprint/s, 'verify says what to do');
    my $print = print_of($peer);
    is($t->ctl('peers', 'confirm', $root, '--fingerprint', $print =~ s{=(..)}{'=' . ($1 eq '00' ? '11' : '00')}er)->{exit}, 1, 'another fingerprint');
    is($t->ctl('peers', 'confirm', $root, '--fingerprint', $print)->{exit}, 0, 'confirm --fingerprint');
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', '  and it is called');
    $peer->learn($site);
    is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  and calls');
};

subtest "a stranger's offer" => sub {
    my $peer = $t->peer('moodle');
    my $root = $peer->wwwroot;
    $peer->set(lie => 'attack-foreign');
    ok($t->xcall('moodle', "$ECHO/first", 'x')->{json}{error}, 'a 7025 of somebody on the path');
    $peer->set(lie => undef);
    like($t->ctl('peers', 'show', $root)->{out}, qr/"pending": \{/, '  waits');
    my $got = $t->ctl('peers', 'confirm', $root, '--yes');
    is($got->{exit}, 1, '  and is not put in force by --yes') or diag explain $got;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', '  the true one still holds');
    $peer->admin('forget-and-rotate');
    is($t->ctl('peers', 'confirm', $root, '--fingerprint', print_of($peer) =~ s{=(..)}{'=' . ($1 eq '00' ? '11' : '00')}er)->{exit}, 1, 'another fingerprint');
    $got = $t->ctl('peers', 'confirm', $root, '--fingerprint', print_of($peer));
    is($got->{exit}, 0, 'it does not keep away the true new one, which the peer gives') or diag explain $got;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', '  which is in force');
    unlike($t->ctl('peers', 'show', $root)->{out}, qr/"pending": \{/, '  and nothing waits');
    $peer->learn($site);
};

subtest 'attacks' => sub {
    for my $style ('moodle', 'mahara', 'moodle-tls', 'mahara-tls') {
        my $peer = $t->peer($style);
        for my $attack (qw(attack-foreign attack-plain attack-name attack-sentence)) {
            $peer->set(lie => $attack);
            my $got = $t->xcall($style, "$ECHO/first", 'x');
            ok($got->{json}{error}, "$style, $attack: the call fails") or diag explain $got;
            like($got->{json}{error}{kind}, $attack eq 'attack-plain' ? qr/fault|trust/ : qr/trust/, '  for want of trust');
            $peer->set(lie => undef);
            is($t->xcall($style, "$ECHO/first", 'x')->{json}{result}, 'x', '  and the old certificate still holds');
            is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  also for what it sends');
        }
    }
    my $peer = $t->peer('moodle');
    $peer->set(lie => 'loop-7025');
    $peer->forget_requests;
    my $started = time;
    my $got = $t->xcall('moodle', "$ECHO/first", 'x');
    ok($got->{json}{error}, 'a peer that says 7025 for ever');
    cmp_ok($peer->heard, '<=', 3, '  is asked twice, not for ever');
    cmp_ok(time - $started, '<', 10, '  in time');
    $peer->set(lie => undef);
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', '  and then answered lawfully');
};

# --- under load ---

# Runs code in processes beside this one until told to stop; answers what each wrote.
sub beside {
    my ($n, $seconds, $each, $meanwhile) = @_;
    my (@pids, @from);
    my $until = time + $seconds;
    for my $i (1 .. $n) {
        pipe my $read, my $write;
        my $pid = fork // die $!;
        if (!$pid) {
            $t->forked;
            my ($calls, @failed) = (0);
            while (time < $until) {
                my $why = $each->($i);
                $calls++;
                push @failed, $why if $why;
            }
            $write->autoflush(1);
            print {$write} "$calls\n", map { s/\s+/ /gr . "\n" } @failed;
            close $write;
            POSIX::_exit(0);
        }
        close $write;
        push @pids, $pid;
        push @from, $read;
    }
    $meanwhile->();
    my ($calls, @failed) = (0);
    for my $read (@from) {
        $calls += readline($read) || 0;
        push @failed, readline $read;
    }
    waitpid $_, 0 for @pids;
    return ($calls, @failed);
}

subtest 'ours under load' => sub {
    my ($calls, @failed) = beside(3, 12, sub {
        my $peer = $t->peer($styles[$_[0] - 1]);
        my $reply = $peer->call($site, "$ECHO/first", ['x']);
        return ($reply->{result} // '') eq 'x' ? undef : JSON::PP->new->encode($reply);
    }, sub {
        for (1 .. 3) {
            sleep 2.5; # each key is in use for a while, or none would be in use when it goes
            rotate_ours();
        }
    });
    cmp_ok($calls, '>', 20, "$calls calls");
    is(scalar @failed, 0, '  and none failed') or diag @failed[0 .. ($#failed < 3 ? $#failed : 3)];
};

subtest "a peer's under load" => sub {
    for my $style ('moodle', 'mahara-tls') {
        my $peer = $t->peer($style);
        my ($calls, @failed) = beside(3, 10, sub {
            if ($_[0] == 1) {
                my $reply = $peer->call($site, "$ECHO/first", ['x']);
                return ($reply->{result} // '') eq 'x' ? undef : JSON::PP->new->encode($reply);
            }
            my $got = $t->xcall($style, "$ECHO/first", 'x');
            return ($got->{json}{result} // '') eq 'x' ? undef : $got->{out};
        }, sub {
            my $heard = $peer->heard;
            Mnet::Harness::wait_for(sub { $peer->heard > $heard + 3 }); # it is called with the key that goes
            $peer->rotate;
        });
        cmp_ok($calls, '>', 10, "$style: $calls calls");
        is(scalar @failed, 0, '  and none failed') or diag @failed[0 .. ($#failed < 3 ? $#failed : 3)];
    }
};

subtest 'a pinned certificate' => sub {
    # The rotation supersedes MnetPeerCertificate until the content of its file changes.
    my $peer = $t->peer('moodle');
    $peer->rotate;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', 'superseded by a rotation');
    $t->harness->graceful;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', 'also after a graceful restart');
    $t->harness->stop;
    $t->harness->start;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', 'and a full one');
    is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  in both directions');
    $peer->admin('forget-and-rotate');
    isnt($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result} // '', 'x', 'a key changed without a word is not believed');
    $peer->pem_file;
    $t->harness->graceful;
    is($t->xcall('moodle', "$ECHO/first", 'x')->{json}{result}, 'x', 'until the file says so');
    is($peer->call($site, "$ECHO/first", ['x'])->{result}, 'x', '  in both directions');
};

ok($t->alive($_), "$_: the server is alive") for @styles;
done_testing;
