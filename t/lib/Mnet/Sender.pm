# SPDX-License-Identifier: Apache-2.0
package Mnet::Sender;

# A site with a portfolio, joined to peers in PHP that send packages to it as a Moodle does: what the
# tests of receiving start from.
#
#   my $t = Mnet::Sender->start(peers => {...}, portfolio => "MnetPortfolioInterval 1s\n", ...);
#       as Mnet::SignOn; the peers publish and subscribe pf; 'moodle' if none is named
#   $t->land('moodle', 'alice')              a user of the peer's lands here, as is needed first
#   $t->package('moodle', { 'a.txt' => 'text' }, %o)
#       announces and prepares a package: { token, zip, files, data, answer (of the intent) };
#       user, lie (t/peer/methods.php: fetchFile), zip => $bytes, name => { path => 'for the manifest' }
#   $t->ready('moodle', $package, %o)        send_content_ready: wait, user, format, data => {...}
#   $t->send('moodle', \%files, %o)          all of it: the answer of "ready"
#   $t->arrived                              { 'USER/ROUTE/NAME' => { path => bytes } }, report aside
#   $t->wait_arrived($n)                     until there are that many; the same
#   $t->items, $t->item($n)                  of the queue, as mnetctl says
#   $t->wait_item(sub { ... })               until an item is so: it
#   $t->debris                               what lies about in the portfolio that is no package
#   Mnet::Sender::zip(\%files, %o)           bytes of a zip; raw names, prefix, methods => 0 | 8

use strict;
use warnings;
use parent 'Mnet::SignOn';
use Compress::Zlib ();
use Digest::SHA qw(sha1_hex);
use File::Find ();
use JSON::PP;

my $LIB = 'portfolio/mahara/lib.php';

sub start {
    my ($class, %o) = @_;
    my %peers = %{ delete $o{peers} || { moodle => {} } };
    for my $how (values %peers) {
        $how->{section} = { MnetPublish => 'sso_idp sso_sp pf', MnetSubscribe => 'sso_idp sso_sp pf',
            %{ $how->{section} || {} } };
    }
    my ($site, $portfolio) = (delete $o{site} // '', delete $o{portfolio} // '');
    my $dir = delete $o{dir};
    return $class->SUPER::start(%o, peers => \%peers, site => sub {
            my ($h, $i) = @_;
            my $path = $dir // $h->root . '/portfolio';
            return "MnetPortfolioDir $path\n$portfolio" . (ref $site ? $site->($h, $i) : $site);
        });
}

sub folder { return $_[0]{folder} // $_[0]->harness->root . '/portfolio' }

sub land {
    my ($self, $name, $user) = @_;
    $self->peer($name)->user($user, firstname => $user, lastname => 'Tester', email => "$user\@example.org");
    my $got = $self->sign_on($name, $user, '/app');
    die "$user did not land: $got->{status}" if $got->{status} != 200;
    return;
}

# Stored or deflated, as little as a zip needs.
sub zip {
    my ($files, %o) = @_;
    my $method = $o{method} // 0;
    my ($out, $directory, $count) = ($o{prefix} // '', '', 0);
    for my $name (sort keys %$files) {
        my $bytes = $files->{$name};
        my $packed = $bytes;
        if ($method == 8) {
            my $deflate = Compress::Zlib::deflateInit(-WindowBits => -Compress::Zlib::MAX_WBITS());
            $packed = $deflate->deflate($bytes) . $deflate->flush;
        }
        my $fields = pack 'vvvvvVVVvv', 20, 0x800, $method, 0, 0x21, Compress::Zlib::crc32($bytes),
            length $packed, length $bytes, length $name, 0;
        $directory .= pack('Vv', 0x02014b50, 0x031e) . $fields
            . pack('vvvVV', 0, 0, 0, ($o{mode} // 0100644) << 16, length $out) . $name;
        $out .= pack('V', 0x04034b50) . $fields . $name . $packed;
        $count++;
    }
    return $out . $directory . pack 'VvvvvVVv', 0x06054b50, 0, 0, $count, $count, length $directory, length $out, 0;
}

sub write_bytes {
    my ($path, $bytes) = @_;
    open my $out, '>:raw', $path or die "$path: $!";
    print $out $bytes;
    close $out or die "$path: $!";
    return;
}

sub import_data {
    my ($files, $zip, %o) = @_;
    my ($total, %manifest) = (0);
    for my $path (sort keys %$files) {
        my $sha1 = sha1_hex($files->{$path});
        $manifest{$sha1} = { filename => $path =~ s{.*/}{}r, sha1 => $sha1, size => '' . length $files->{$path} };
        $total += length $files->{$path};
    }
    return { filesmanifest => \%manifest, zipfilesha1 => sha1_hex($zip), zipfilesize => '' . length $zip,
        totalsize => $total, %{ $o{data} || {} } };
}

sub intent {
    my ($self, $name, $user) = @_;
    return $self->peer($name)->call($self->site, "$LIB/send_content_intent", [$user // 'alice']);
}

sub put {
    my ($self, $name, $token, $bytes, $lie) = @_;
    my $folder = $self->peer($name)->dir . '/files';
    mkdir $folder;
    write_bytes("$folder/$token", $bytes);
    unlink "$folder/$token.lie";
    write_bytes("$folder/$token.lie", $lie) if defined $lie;
    return;
}

sub package {
    my ($self, $name, $files, %o) = @_;
    my $answer = $self->intent($name, $o{user});
    my $token = ref $answer->{result} eq 'HASH' ? $answer->{result}{token} : undef;
    my $zip = $o{zip} // zip($files);
    $self->put($name, $token, $zip, $o{lie}) if $token;
    return { token => $token, zip => $zip, files => $files, user => $o{user} // 'alice', answer => $answer,
        data => import_data($files, $zip, %o) };
}

sub ready {
    my ($self, $name, $package, %o) = @_;
    my %data = (%{ $package->{data} }, %{ $o{data} || {} });
    delete $data{$_} for grep { !defined $data{$_} } keys %data;
    return $self->peer($name)->call($self->site, "$LIB/send_content_ready",
        [$o{token} // $package->{token}, $o{user} // $package->{user}, $o{format} // 'file', \%data, $o{wait} // '1']);
}

sub send {
    my ($self, $name, $files, %o) = @_;
    return $self->ready($name, $self->package($name, $files, %o), %o{grep { exists $o{$_} } qw(wait format)});
}

# Every file below the portfolio, relative to it.
sub everything {
    my ($self) = @_;
    my ($root, %found) = ($self->folder);
    return {} if !-d $root;
    File::Find::find({ no_chdir => 1, wanted => sub {
                return if -d;
                my $path = substr $_, 1 + length $root;
                open my $in, '<:raw', $_ or return;
                local $/;
                $found{$path} = <$in> // '';
            } }, $root);
    return \%found;
}

sub arrived {
    my ($self) = @_;
    my ($all, %packages) = ($self->everything);
    for my $path (keys %$all) {
        next if $path =~ m{^\.};
        $packages{$1}{$2} = $all->{$path} if $path =~ m{^([^/]+/.+?/[^/]+)/(.+)$} && $2 ne 'mnet-report.json';
    }
    return \%packages;
}

sub debris {
    my ($self) = @_;
    return sort grep { m{^\.} } keys %{ $self->everything };
}

sub wait_for {
    my ($self, $what, $seconds) = @_;
    return Mnet::Harness::wait_for($what, $seconds // 20);
}

sub wait_arrived {
    my ($self, $n, $seconds) = @_;
    $self->wait_for(sub { keys %{ $self->arrived } >= $n }, $seconds);
    return $self->arrived;
}

sub items {
    my ($self, @args) = @_;
    my $got = $self->ctl('queue', 'list', @args);
    return map { @{ $_->{items} } } @{ ($got->{json} || {})->{sites} || [] };
}

sub wait_item {
    my ($self, $is, $seconds) = @_;
    return $self->wait_for(sub { my ($found) = grep { $is->($_) } $self->items; $found }, $seconds);
}

# Until nothing is left to do.
sub wait_idle {
    my ($self, $seconds) = @_;
    return $self->wait_for(sub { !$self->items }, $seconds);
}

1;
